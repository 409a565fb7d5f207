# Listing and choosing devices.
. "$LIB"
expect 0 ' cpu ' "$ADATOM" devices
"$ADATOM" devices --format json >devices.json || complain "devices --format json"
last=$(($(get devices.json devices.#) - 1))
same "$(get devices.json devices.$last.backend)" cpu "the CPU engine is the last device"
same "$(get devices.json devices.$last.index)" "$last" "index"
same "$(get devices.json format_version)" 1 "format_version"
for member in tool_version build_commit test_time host.machine devices.0.name devices.0.vendorID devices.0.driverName; do
    get devices.json $member >/dev/null || complain "$member is missing"
done
# What each device can do stands in a line below the table, and as members.
same "$("$ADATOM" devices | grep -c '^[0-9]*: ')" $((last + 1)) "lines on what devices can do"
expect 0 "^$last: [a-z0-9]+; [0-9]+ threads?; (OpenBLAS [0-9.]+|no OpenBLAS)\$" "$ADATOM" devices
if [ "$last" -gt 0 ]; then
    expect 0 '^0: .*; Vulkan 1\.[0-9.]+; subgroups of [0-9]+.*; (no )?fp16.*; (no )?bf16; (no )?int8.*; (no )?matrix units.*; [0-9]+ KiB shared memory; (unified memory|memory of its own); (no timestamps|timestamps of [0-9.]+ ns \([0-9]+ bits\))$' \
        "$ADATOM" devices
    least=$(get devices.json devices.0.capabilities.subgroup_least)
    [ "$least" -ge 1 ] && [ "$least" -le "$(get devices.json devices.0.capabilities.subgroup_most)" ] || complain "subgroups of $least"
    [ "$(get devices.json devices.0.capabilities.shared_bytes)" -ge 16384 ] || complain "shared memory, which Vulkan has 16 KiB of at least"
    for member in fp16 bf16 int8 int8_dot unified_memory timer_bits timer_ns matrix_units.# line; do
        get devices.json devices.0.capabilities.$member >/dev/null || complain "capabilities.$member is missing"
    done
fi
expect 0 '^index,name,backend.*,capabilities.line,' "$ADATOM" devices --format csv
same "$("$ADATOM" devices --format jsonl | wc -l | tr -d ' ')" $((last + 1)) "a line a device"
expect 3 "no device matches 'no such gpu'; there are: " "$ADATOM" doctor --device 'no such gpu'
expect 3 "no device matches '99'" "$ADATOM" doctor --device 99
expect 2 "no check matches|matches no check" "$ADATOM" doctor --device cpu --filter 'no such kernel'
# Without any driver the CPU engine is listed and chosen, and a message tells.
export VK_ICD_FILENAMES=/nonexistent.json VK_DRIVER_FILES=/nonexistent.json
"$ADATOM" devices --format json >bare.json || complain "devices without a driver"
same "$(get bare.json devices.#)" 1 "devices without a driver"
expect 3 'adatom: ' "$ADATOM" doctor --device vulkan
"$ADATOM" episodes --model "$FIXTURE/model.safetensors" --data builtin:shapes/novel --tasks 2 --adapt centroid >out 2>err ||
    complain "automatic choice"
grep -q '^device: cpu: .*because' err || complain "the choice of the CPU is not explained"
finish
