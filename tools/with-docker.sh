#!/bin/sh
# Runs a command with a Docker engine:  tools/with-docker.sh ./berth test
# One that answers is used as it is. Else, as root on Debian or Ubuntu, one is installed, started
# for the command, and stopped after it. Where that fails the command runs all the same: tests
# that need containers are skipped then, and say so.
set -u

WAIT_S=30
log=${TMPDIR:-/tmp}/berth-dockerd.$$.log
engine=

main() {
  answers || start || say 'running without one'
  # Signals and the exit status are the command's own; somebody else ends the engine after it.
  [ -z "$engine" ] || end_after "$$" "$engine"
  exec "$@"
}

end_after() {
  setsid sh -c 'while kill -0 "$0"; do sleep 1; done; kill "$1"' "$1" "$2" \
    >/dev/null 2>&1 </dev/null &
}

answers() {
  command -v docker >/dev/null 2>&1 && docker version >/dev/null 2>&1
}

start() {
  [ "$(id -u)" = 0 ] || { say 'starting one takes root'; return 1; }
  install_packages || return 1
  # Where systemd runs, the package has started it.
  if answers; then return 0; fi
  # Kernels in sandboxes may lack overlayfs or netfilter.
  for options in '' --storage-driver=vfs '--storage-driver=vfs --iptables=false --ip6tables=false'; do
    # shellcheck disable=SC2086
    setsid dockerd $options >"$log" 2>&1 </dev/null &
    engine=$!
    if came_up; then
      say "started dockerd $options"
      return 0
    fi
    kill "$engine" 2>/dev/null || :
    engine=
  done
  say "dockerd does not start: $(tail -n 1 "$log")"
  return 1
}

# docker.io: the engine. docker-compose: the tool. mmdebstrap: base images without a registry.
install_packages() {
  missing=
  for package in docker.io:dockerd docker-compose:docker-compose mmdebstrap:mmdebstrap \
    iptables:iptables; do
    command -v "${package#*:}" >/dev/null 2>&1 || missing="$missing ${package%%:*}"
  done
  [ -n "$missing" ] || return 0
  command -v apt-get >/dev/null 2>&1 || { say "missing:$missing"; return 1; }
  say "installing$missing"
  # shellcheck disable=SC2086
  (apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends $missing) >"$log" 2>&1 \
    || { say "they did not install: $(tail -n 1 "$log")"; return 1; }
}

came_up() {
  waited=0
  while [ "$waited" -lt "$WAIT_S" ]; do
    if answers; then return 0; fi
    kill -0 "$engine" 2>/dev/null || return 1
    sleep 1
    waited=$((waited + 1))
  done
  return 1
}

say() {
  printf 'docker: %s\n' "$1" >&2
}

main "$@"
