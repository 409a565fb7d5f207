/* x[n][p][q] = scale*v + shift of the picture index[round][task][n], channel 3 = 0, where round = counter % rounds and
 * v is the crop, flip, turn and colour jitter that GATHER of plan/ops.def defines (MODE, FLIP, TURN, MIRROR, DRAW).
 * Pictures outside [first, first + chunk) are left as they are.
 * Layout: pictures uint8 [chunk][data_h][data_w][3], read as 32-bit words so that no 8-bit storage is asked of the
 * device; norm [2][4]; x [images][h][w][4].
 * Grid: lib/grid.glsl, images*h*w items a task. Bytes: (3 + 16)*images*h*w a task (mode 2: up to 12 + 16).
 * Reference: GATHER. */
#version 450
#extension GL_GOOGLE_include_directive : require
#include "abi.h"
#include "lib/grid.glsl"
#include "lib/philox.glsl"

layout(push_constant) uniform Push { ad_push_gather p; };
layout(constant_id = 0) const uint MODE = 0; /* 0 centre crop, 1 shifted, 2 random resized crop */
layout(constant_id = 1) const bool FLIP = false;
layout(constant_id = 2) const bool COUNTER = false;
layout(constant_id = 3) const bool DRAW = false;
layout(constant_id = 4) const bool TURN = false;
layout(constant_id = 5) const bool MIRROR = false;
layout(set = 0, binding = 0) readonly buffer Data { uint data[]; };
layout(set = 0, binding = 1) readonly buffer Index { int index[]; };
layout(set = 0, binding = 2) readonly buffer Counter { int counter[]; };
layout(set = 0, binding = 3) readonly buffer Norm { vec4 norm[2]; };
layout(set = 0, binding = 4) writeonly buffer X4 { vec4 x4[]; };
layout(set = 0, binding = 5) readonly buffer Draw { int draw[]; };

uint byte_at(uint i) { return (data[i / 4] >> (8 * (i % 4))) & 255u; }

vec3 pixel(uint picture, uint row, uint column) {
    const uint at = 3 * ((picture * uint(p.data_h) + row) * uint(p.data_w) + column);
    return vec3(byte_at(at), byte_at(at + 1), byte_at(at + 2)) / 255.0;
}

vec3 resized(uint picture, vec4 u, uint row, uint column) {
    const vec2 last = vec2(p.data_h - 1, p.data_w - 1), full = vec2(p.data_h, p.data_w);
    const float area = full.x * full.y * (p.area_min + (p.area_max - p.area_min) * u.x);
    const float ratio = exp(p.log_ratio_min + (p.log_ratio_max - p.log_ratio_min) * u.y);
    const vec2 size = min(full, sqrt(vec2(area / ratio, area * ratio)));
    const vec2 origin = u.zw * (full - size);
    const vec2 at = clamp(origin + (vec2(row, column) + 0.5) * size / vec2(p.h, p.w) - 0.5, vec2(0.0), last);
    const vec2 low = floor(at), part = at - low, high = min(low + 1.0, last);
    const vec3 top = mix(pixel(picture, uint(low.x), uint(low.y)), pixel(picture, uint(low.x), uint(high.y)), part.y);
    const vec3 bottom =
        mix(pixel(picture, uint(high.x), uint(low.y)), pixel(picture, uint(high.x), uint(high.y)), part.y);
    return mix(top, bottom, part.x);
}

vec3 jittered(vec3 v, vec3 u) {
    const vec3 strength = vec3(p.brightness, p.contrast, p.saturation), factor = 1.0 + strength * (2.0 * u - 1.0);
    if (strength == vec3(0.0)) return v;
    if (strength.x != 0.0) v *= factor.x;
    if (strength.y != 0.0) v = p.grey + (v - p.grey) * factor.y;
    if (strength.z != 0.0) {
        const float luma = dot(v, vec3(0.299, 0.587, 0.114));
        v = luma + (v - luma) * factor.z;
    }
    return clamp(v, 0.0, 1.0);
}

void main() {
    const uint item = item_index(), task = task_index(), w = uint(p.w), h = uint(p.h);
    const uint column = item % w, row = item / w % h, image = item / w / h;
    if (image >= uint(p.images)) return;
    const int now = COUNTER ? counter[0] : 0;
    const uint round = uint(now) % uint(p.rounds);
    const uint shown = MIRROR ? uint(p.images) / 2 : uint(p.images);
    const bool mirrored = image >= shown;
    const uint number = mirrored ? image - shown : image;
    const uint place_of = (round * uint(p.tasks) + task) * shown + number;
    const uint picture = uint(index[place_of] - p.first);
    if (picture >= uint(p.chunk)) return;

    uvec4 words = uvec4(0, now, task * shown + (TURN ? image / 4 : number), p.stream);
    if (DRAW) words.yz = uvec2(draw[place_of], 0);
    const uvec4 place = philox(words, uvec2(p.seed, 0)), look = philox(words + uvec4(1, 0, 0, 0), uvec2(p.seed, 0));
    uvec2 seen = uvec2(row, column);
    if (TURN && image % 4 == 1) seen = uvec2(column, w - 1 - row);
    if (TURN && image % 4 == 2) seen = uvec2(h - 1 - row, w - 1 - column);
    if (TURN && image % 4 == 3) seen = uvec2(h - 1 - column, row);
    if ((FLIP && (look.x >> 31) == 0) != mirrored) seen.y = w - 1 - seen.y;
    vec3 v = vec3(0.0);
    if (MODE == 2) {
        v = resized(picture, uniform01(place), seen.x, seen.y);
    } else {
        ivec2 at = ivec2(seen);
        if (MODE == 1) at += ivec2(below(place.x, 2 * p.pad + 1), below(place.y, 2 * p.pad + 1)) - p.pad;
        if (at.x >= 0 && at.y >= 0 && at.x < p.h && at.y < p.w)
            v = pixel(picture, uint((p.data_h - p.h) / 2 + at.x), uint((p.data_w - p.w) / 2 + at.y));
    }
    v = jittered(v, uniform01(look).yzw);
    x4[task * uint(p.x_task) / 4 + item] = vec4(norm[0].rgb * v + norm[1].rgb, 0.0);
}
