/* Channels of kernels [taps][inputs][outputs]: the outputs, or with INPUTS the inputs. */
layout(constant_id = 0) const bool INPUTS = false;

uint channel_count() { return uint(INPUTS ? p.inputs : p.outputs); }
/* Numbers in a channel, and where number i of channel x lies. */
uint channel_size() { return uint(p.taps) * uint(INPUTS ? p.outputs : p.inputs); }
uint channel_at(uint x, uint i) {
    const uint outputs = uint(p.outputs);
    return INPUTS ? (i / outputs * uint(p.inputs) + x) * outputs + i % outputs : i * outputs + x;
}
uint channel_of(uint element) {
    const uint outputs = uint(p.outputs);
    return INPUTS ? element / outputs % uint(p.inputs) : element % outputs;
}
