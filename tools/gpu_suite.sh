#!/bin/sh
# gpu_suite.sh [--device DEVICE] [--output FOLDER] [--peers FILE]: measures a device in under ten minutes and without
# network: the kernel check, the benchmark and, if python3 has torch, the same adaptation in PyTorch (FILE, or
# $ADATOM_PEERS: a script that takes --device --adapt --tasks --mode). Runs in a bundle or a checkout; $ADATOM: another
# binary. FOLDER (gpu-suite) gets doctor.json, bench.json, peers.jsonl and what each part printed. The exit code is that
# of the first part that failed.
set -u
here=$(cd "$(dirname "$0")" && pwd)
device=vulkan
output=gpu-suite
peers=${ADATOM_PEERS-}
while [ $# -gt 0 ]; do
    case $1 in
    --device) device=$2 ;;
    --output) output=$2 ;;
    --peers) peers=$2 ;;
    *) sed -n '2,6s/^# //p' "$0" >&2; exit 2 ;;
    esac
    [ $# -ge 2 ] || exit 2
    shift 2
done
adatom=${ADATOM-}
for candidate in "$here/adatom" "$here/../build-release/adatom" "$here/../build/adatom"; do
    if [ -z "$adatom" ] && [ -x "$candidate" ]; then adatom=$candidate; fi
done
[ -n "$adatom" ] || { echo "gpu_suite: there is no adatom beside this script" >&2; exit 1; }
mkdir -p "$output" || exit 1
rm -f "$output/devices.json" "$output/doctor.json" "$output/bench.json" "$output/peers.jsonl" # of an earlier run
first=0
remember() { if [ "$first" -eq 0 ]; then first=$1; fi; }

# part NAME SECONDS COMMAND...: runs a command, writes its output to NAME.txt, and prints one line. The time limits add
# up to less than ten minutes.
part() {
    part=$1 limit=$2
    shift 2
    began=$(date +%s)
    timeout -k 5 "$limit" "$@" >"$output/$part.txt" 2>&1
    code=$?
    case $code in
    0) said=ok ;;
    124 | 137) said="stopped after $limit s" ;;
    *) said="exit code $code: $(grep . "$output/$part.txt" | tail -n 1)" ;;
    esac
    printf '%-8s %4s s  %s\n' "$part" $(($(date +%s) - began)) "$said"
    remember "$code"
}

part devices 30 "$adatom" devices --format json -o "$output/devices.json"
# Software drivers are slower by orders of magnitude and get fewer shapes.
kind=full
if "$adatom" doctor --device "$device" --quick --filter fill 2>&1 | grep -q '(software)'; then kind=software; fi
if [ $kind = software ]; then
    part doctor 240 "$adatom" doctor --device "$device" --quick -o "$output/doctor.json" --format json
    part bench 100 "$adatom" bench --device "$device" --suite quick -o "$output/bench.json" --format json
else
    part doctor 170 "$adatom" doctor --device "$device" -o "$output/doctor.json" --format json
    part bench 240 "$adatom" bench --device "$device" --suite full --seconds 200 -o "$output/bench.json" --format json
fi
if [ -f "$output/bench.json" ]; then
    "$adatom" bench --merge "$output/bench.json"
    remember $?
fi

if [ -z "$peers" ] || [ ! -f "$peers" ]; then
    echo "peers         -    skipped: no script given (--peers FILE)"
elif ! python3 -c 'import torch' 2>/dev/null; then
    echo "peers         -    skipped: python3 with torch is not installed"
else
    where=cpu tasks=2 modes=eager,batched
    if python3 -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then
        where=cuda tasks=64 modes=eager,batched,graphed,compiled
    fi
    part peers 130 python3 "$peers" --device $where --adapt atoms,full,head --tasks $tasks --mode $modes
    grep '^{' "$output/peers.txt" >"$output/peers.jsonl"
    remember $? # nothing was measured
    cat "$output/peers.jsonl"
fi
exit "$first"
