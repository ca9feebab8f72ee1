#!/usr/bin/env bash
# Four processes on four machines, as far as one can be four: each in a network namespace of its own, with an address of its own, 10 ms from
# the others in each direction, behind a line of 1 Gbit/s. They train the model that one process trains.
# Usage: namespaces.sh GRAFT GRAFT_WITH_MPI MAKE_EXAMPLE WORK_FOLDER    (as root; needs iproute2 and Open MPI)
set -euo pipefail
[ $# -eq 4 ] || { sed -n 's/^# Usage: //p' "$0" >&2; exit 2; }
one=$1 mpi=$2 make_example=$3 work=$4
here=$(cd "$(dirname "$0")" && pwd)
[ "$(id -u)" -eq 0 ] || { echo "SKIPPED: network namespaces are made by root"; exit 77; }
names=(graft0 graft1 graft2 graft3)
switch=""
clean() {
  [ -z "$switch" ] || kill "$switch" 2> /dev/null || true
  for name in "${names[@]}"; do ip netns del "$name" 2> /dev/null || true; done
  ip link del graft-bridge 2> /dev/null || true
}
trap clean EXIT
clean
for name in "${names[@]}"; do ip netns add "$name" || { echo "SKIPPED: this kernel makes no network namespaces"; exit 77; }; done

# A bridge and netem where the kernel has that; else a switch of our own that delays, and tbf for the speed of the line.
if modprobe -q sch_netem 2> /dev/null || { ip netns exec graft0 tc qdisc add dev lo root netem delay 1ms && ip netns exec graft0 tc qdisc del dev lo root; } 2> /dev/null; then
  how="netem"
  ip link add graft-bridge type bridge
  ip link set graft-bridge up
  for i in 0 1 2 3; do
    ip link add "grafte$i" type veth peer name tap0 netns "graft$i"
    ip link set "grafte$i" master graft-bridge up
    ip netns exec "graft$i" tc qdisc add dev tap0 root netem delay 10ms rate 1gbit limit 10000
  done
else
  how="a switch that delays, and tbf"
  coproc delays { exec python3 "$here/delaying_switch.py" 10 "${names[@]}"; }
  switch=$delays_PID
  read -r _ <&"${delays[0]}"
  for i in 0 1 2 3; do ip netns exec "graft$i" tc qdisc add dev tap0 root tbf rate 1gbit burst 256kb latency 100ms; done
fi
for i in 0 1 2 3; do
  ip netns exec "graft$i" ip link set lo up
  ip netns exec "graft$i" ip addr add "10.77.0.1$i/24" dev tap0
  ip netns exec "graft$i" ip link set tap0 up
done
# What the line between two of them is, measured: seconds there and back, and megabytes a second.
ip netns exec graft3 python3 -c '
import socket
with socket.create_server(("10.77.0.13", 4000)) as server:
    other = server.accept()[0]
    other.sendall(other.recv(1))
    while other.recv(1 << 20):
        pass
    other.sendall(b"!")' &
sleep 0.5
ip netns exec graft0 python3 -c '
import socket, time
other = socket.create_connection(("10.77.0.13", 4000))
begun = time.time()
other.sendall(b"?")
other.recv(1)
back = time.time() - begun
begun = time.time()
other.sendall(bytes(20_000_000))
other.shutdown(socket.SHUT_WR)
other.recv(1)
print(f"between namespaces ('"$how"'): {1e3 * back:.1f} ms there and back, {20 / (time.time() - begun):.0f} MB/s")'
wait $! || true

rm -rf "$work"
mkdir -p "$work"
cd "$work"
"$make_example" example --size small > /dev/null
# What mpirun takes for a remote shell: HOST is a namespace.
cat > enter << 'END'
#!/usr/bin/env bash
while [ "${1#-}" != "$1" ]; do shift; done
host=$1
shift
exec ip netns exec "graft${host##*.1}" bash -c "$*"
END
chmod +x enter
training=(--model_path example/encoder --task_config_path example/warmup/warmup.json --train_batch_size 16 --micro_batch_tokens 40 --max_steps 6
  --learning_rate 1e-3 --eval_every_steps 3 --seed 5 --threads 1 --precision f32 --do_train --do_val --do_save)
"$one" train-adapter "${training[@]}" --output_dir alone > /dev/null
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
begun=$(date +%s.%N)
ip netns exec graft0 mpirun --mca plm_rsh_agent "$work/enter" --mca oob_tcp_if_include 10.77.0.0/24 --mca btl tcp,self \
  --mca btl_tcp_if_include 10.77.0.0/24 --mca orte_keep_fqdn_hostnames 1 --bind-to none -x OMPI_ALLOW_RUN_AS_ROOT -x OMPI_ALLOW_RUN_AS_ROOT_CONFIRM \
  --host 10.77.0.10:1,10.77.0.11:1,10.77.0.12:1,10.77.0.13:1 -n 4 "$mpi" train-adapter "${training[@]}" --output_dir apart > out 2> err ||
  { cat out err; exit 1; }
echo "four namespaces: $(python3 -c "import time; print(round(time.time() - $begun, 1))") s"
cmp alone/model.safetensors apart/model.safetensors
cmp alone/val_preds.csv apart/val_preds.csv
echo "the same model and predictions as from one process"
