#!/usr/bin/env bash
# Breaks jobs in every way that a cluster does and looks at what users see: which ranks are named, how soon, and with which
# exit status. usage: launch_test.sh LAUNCHER JOB_PROBE
set -uo pipefail
launcher=$1 probe=$2
work=$(mktemp -d) failures=0 running=''
trap 'if [ -n "$running" ]; then kill -TERM "$running" 2>/dev/null; kill -TERM "$running" 2>/dev/null; fi; rm -rf "$work"' EXIT

now_ms() { date +%s%3N; }

check() {  # WHAT, then a command that must succeed
  local what=$1
  shift
  if "$@"; then return; fi
  failures=$((failures + 1))
  printf 'FAILED: %s: %s\n--- output:\n%s\n---\n' "$what" "$*" "$(cat "$work/out")"
}
lines() { [ "$(grep -cE -- "$2" "$work/out")" = "$1" ]; }          # COUNT PATTERN
only() { [ "$(grep -cvE -- "$1" "$work/out")" = 0 ]; }             # PATTERN of all lines
ended_within() { [ "$took_ms" -le "$1" ]; }
status_is() { [ "$status" = "$1" ]; }
# A rank that has ended but that nobody has waited for yet (a zombie) is gone.
gone() { case "$(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null)" in ''|Z*) ;; *) return 1 ;; esac; }
pid_of() { awk -v rank="$1" '$1 == "pid" && $2 == rank && $4 == "up" { print $3 }' "$work/out"; }

begin() {  # RANKS ARGUMENTS...: in the background, until all ranks have printed their pid
  local ranks=$1 tries
  shift
  : >"$work/out"  # here and now: the job in the background may do so only after the first look below
  "$launcher" -n "$ranks" "$probe" "$@" >"$work/out" 2>&1 &
  running=$!
  for tries in {1..1000}; do
    # Whole lines only: half a number would be somebody else's process.
    [ "$(grep -c '^pid [0-9]* [0-9]* up$' "$work/out")" = "$ranks" ] && return
    sleep 0.01
  done
  echo "FAILED: $ranks ranks of '$*' did not start:"
  cat "$work/out"
  exit 1
}
finish() {  # takes the time from `since`
  wait "$running"
  status=$?
  took_ms=$(($(now_ms) - since))
  running=''
}
run() {
  since=$(now_ms)
  "$launcher" "$@" >"$work/out" 2>&1 </dev/null &
  running=$!
  finish
}

# ---- an mpirun that does not start ------------------------------------------------------------------------------------
# A tree of its own, whose mpirun fails as often as a file says, as the real one now and then does.
real=$(cd "$(dirname "$launcher")/../.." && pwd)
mkdir -p "$work/tree/scripts/launch" "$work/tree/.venv/bin"
cp "$launcher" "$work/tree/scripts/launch/mpi"
cat >"$work/tree/.venv/bin/mpirun" <<TEXT
#!/usr/bin/env bash
if [ "\$2" != --version ] && [ "\$1" != --version ] && [ "\$(cat "$work/fails")" -gt 0 ]; then
  echo \$((\$(cat "$work/fails") - 1)) >"$work/fails"
  exit 213
fi
exec "$real/.venv/bin/mpirun" "\$@"
TEXT
chmod +x "$work/tree/.venv/bin/mpirun"
for fails in 1 2; do
  echo $fails >"$work/fails"
  since=$(now_ms)
  "$work/tree/scripts/launch/mpi" -n 2 "$probe" noop >"$work/out" 2>&1 </dev/null &
  running=$!
  finish
  check "mpirun that fails $fails times" lines 1 'trying once more'
  if [ $fails = 1 ]; then check "tried once more" status_is 0; else check "tried twice in all" status_is 213; fi
done

# ---- a lost rank ------------------------------------------------------------------------------------------------------
lose() {  # RANKS VICTIM LIMIT_MS MODE
  local what="$4 on $1 ranks, rank $2 killed" r
  begin "$1" "$4" 0 60
  since=$(now_ms)
  kill -KILL "$(pid_of "$2")"
  finish
  check "$what" status_is 75
  check "$what" ended_within "$3"
  for ((r = 0; r < $1; ++r)); do
    [ "$r" = "$2" ] || check "$what" lines 1 "^rank $r: error: rank $2 is lost\$"
  done
  check "$what" lines 1 "^job_probe: error: rank [0-9]: rank $2 is lost \(noticed in .*\)\$"
  check "$what" only '^pid |is lost'
}
lose 2 0 2000 steps
lose 3 2 2000 steps
lose 5 1 2000 steps
lose 3 1 2000 check
lose 3 0 2000 point-to-point
lose 3 1 6000 busy  # no rank ever looks up: the watch threads end them

begin 3 steps 0 60
since=$(now_ms)
kill -KILL "$(pid_of 0)" "$(pid_of 1)" "$(pid_of 2)"
finish
check "all ranks killed" status_is 75
check "all ranks killed" ended_within 6000

# ---- an error on one rank ---------------------------------------------------------------------------------------------
for mode in throw throw-check; do
  run -n 3 "$probe" "$mode" 2 30
  check "$mode" status_is 1
  check "$mode" ended_within 2000
  check "$mode" lines 1 '^job_probe: error: rank 2: shard 7 is damaged$'
  check "$mode" lines 1 '.'
done
run -n 3 "$probe" throw-in-turn 1
check "several errors" lines 1 '^job_probe: error: rank 1: loss is nan$'
check "several errors" lines 1 '.'
run -n 2 "$probe" throw-foreign 1
check "foreign error" status_is 1
check "foreign error" lines 1 '^job_probe: error: rank 1: out of memory$'
run -n 3 "$probe" usage
check "usage error on all ranks" status_is 2
check "usage error on all ranks" lines 1 '^job_probe: error: rank 0: unknown option --colour$'
check "usage error on all ranks" lines 1 '.'

# ---- a stop -----------------------------------------------------------------------------------------------------------
for delay in 0.1 0.3 0.5 1 2; do
  "$launcher" -n 2 "$probe" steps 0 60 >"$work/out" 2>&1 &
  running=$!
  sleep "$delay"
  since=$(now_ms)
  kill -TERM "$running"
  finish
  check "TERM after $delay s" status_is 75
  check "TERM after $delay s" ended_within 3000
  check "TERM after $delay s" only '^pid '
done
begin 2 busy 0 60  # never looks at stop_requested()
sleep 0.2
kill -TERM "$running"
sleep 1.2
since=$(now_ms)
kill -TERM "$running"
finish
check "a second TERM" status_is 75
check "a second TERM" ended_within 4000
for rank in 0 1; do check "a second TERM leaves no rank" gone "$(pid_of $rank)"; done

# ---- ordinary ends ----------------------------------------------------------------------------------------------------
run -n 3 "$probe" noop
check "a clean end" status_is 0
check "a clean end" lines 0 '.'
run -n 1 "$probe" throw 0
check "a world of one under the launcher" status_is 1
check "a world of one under the launcher" lines 1 '^job_probe: error: shard 7 is damaged$'
run -n 2 true
check "a program that never joins is not done" status_is 75
run -n 2 "$work/missing"
check "program not found" eval '[ "$status" -ne 0 ]'
check "program not found" lines 1 "$work/missing"
run -n 2 "$probe"
check "usage error before the job" status_is 2
for wrong in "" "-n" "-n 0 true" "-n x true" "-n 2" "--state"; do
  run $wrong
  check "launcher called with '$wrong'" status_is 2
  check "launcher called with '$wrong'" lines 1 '.'
done
run --help
check "--help" status_is 0
TRIREME_LAUNCH_START_LIMIT=1 run -n 2 sleep 30
check "ranks that never start" status_is 75
check "ranks that never start" lines 1 '^mpi: not all ranks had started after 1 s'
run -n 2 --state "$work/state" "$probe" noop
check "--state" eval '[ "$(cat "$work/state/status")" = 0 ] && [ -e "$work/state/ready" ]'

[ "$failures" = 0 ] && echo "launch_test: all passed"
exit $((failures > 0))
