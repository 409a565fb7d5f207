/* Groups of channels that share coefficients (COMPOSE*, DEPTH*): pair number to*FROM + from of a group of outputs and
 * one of inputs has atoms of its own. Without groups one of each: IN = C, OUT = O. */
layout(constant_id = AD_SPEC_GROUP_IN) const int IN = 4;
layout(constant_id = AD_SPEC_GROUP_OUT) const int OUT = 4;
const int IN4 = IN / 4;
const int FROM = C / IN;
const int TO = O / OUT;

/* First number of the atoms of a pair of groups. */
int ad_atoms_of(int to, int from) { return (to * FROM + from) * M * K * K; }
