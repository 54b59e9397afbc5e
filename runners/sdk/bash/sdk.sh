# What every Bash script of a task finds when it starts: notify_mattermost,
# log_debug, log_info, log_warning (or log_warn) and log_error, state_get,
# state_set and state_delete, and progress. TASK_PAYLOAD and AGENT_WEBHOOK_BODY,
# _PARAMS, _HEADERS (JSON both) and _TRIGGERED_AT are what the run was triggered with.
#
# Bash reads this file because BASH_ENV names it. A script that defines a
# function of the same name simply has its own.

# notify_mattermost NAME [TEXT]: sends TEXT, or what stands on standard input,
# to the webhook NAME. When it returns 0 the message is stored, and arrives
# even if the script ends now; otherwise it says why on standard error.
# The text travels by a pipe: a command line has a limit, and others can read it.
notify_mattermost() {
  if [ "$#" -eq 0 ]; then
    printf 'notify_mattermost: usage: notify_mattermost NAME [TEXT]\n' >&2
    return 2
  fi
  if [ "$#" -eq 1 ]; then
    "$AGENT_RUN_BIN" notify -- "$1"
    return
  fi
  local name=$1
  shift
  # A pipeline's status would be that of its last part all the same; the
  # subshell keeps the script's own options, such as pipefail, out of it.
  printf '%s' "$*" | "$AGENT_RUN_BIN" notify -- "$name"
}

# state_get KEY: prints what the task remembers; status 1 when there is nothing.
state_get() { "$AGENT_RUN_BIN" state get -- "$1"; }
# state_set KEY VALUE: remembers a text.
state_set() { printf '%s' "$2" | "$AGENT_RUN_BIN" state set -- "$1"; }
# state_delete KEY: forgets it.
state_delete() { "$AGENT_RUN_BIN" state delete -- "$1"; }

# progress DONE TOTAL [TEXT]: says how far the run is. No process is started.
# Opening the pipe is what takes time here, so of many small steps only those
# count that make a thousandth of the whole.
progress() {
  case $1$2 in
    *[!0-9]* | ????????????????????????*) ;;
    *)
      if ((10#0$2 > 1000)); then
        local step="$2:$((10#0$1 * 1000 / 10#0$2))"
        [ "$step" != "${__agent_step-}" ] || return 0
        __agent_step=$step
      fi
      ;;
  esac
  local text="${*:3}"
  printf 'progress %s %s %s\n' "$1" "$2" "${text//$'\n'/ }" 2>/dev/null 1<>"$AGENT_RUN_LOG" || return 0
}

if [ -n "${AGENT_WEBHOOK_TRIGGERED_AT:-}" ]; then
  AGENT_WEBHOOK_BODY=${TASK_PAYLOAD-}
fi

log_debug() { __agent_log debug "$@"; }
log_info() { __agent_log info "$@"; }
log_warning() { __agent_log warning "$@"; }
log_warn() { __agent_log warning "$@"; }
log_error() { __agent_log error "$@"; }

# One record a line: the level, a space, the text. A pipe takes up to 4096 bytes
# at once without mixing them with another's, so long lines go in parts. "<>"
# never waits, also when the agent is gone. No process is started.
__agent_log() {
  local level=$1 text line
  shift
  text="$*"
  while :; do
    line=${text%%$'\n'*}
    while :; do
      printf '%s %s\n' "$level" "${line:0:1000}" 2>/dev/null 1<>"$AGENT_RUN_LOG" ||
        printf '%s: %s\n' "$level" "${line:0:1000}" >&2
      [ "${#line}" -gt 1000 ] || break
      line=${line:1000}
    done
    case $text in
      *$'\n'*) text=${text#*$'\n'} ;;
      *) break ;;
    esac
  done
  return 0
}
