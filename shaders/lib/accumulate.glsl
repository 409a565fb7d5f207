/* ACCUMULATE: add to the output. A constant, because llvmpipe goes through all lanes for a load that is not wanted at
 * run time, too. */
layout(constant_id = AD_SPEC_ACCUMULATE) const bool ACCUMULATE = false;
