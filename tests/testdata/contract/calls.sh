log_debug "a debug line"
log_info "an info line"
log_warning "a warning line"
log_error "an error line"
notify_mattermost "Ops Channel" "bash: Sync in progress: 500/1000 records processed"
for i in 1 2 3 4 5 6 7; do
  name=TEXT_$i
  notify_mattermost "Ops Channel" "bash: ${!name}"
done
head -c 1048576 /dev/zero | tr '\0' x | notify_mattermost "Ops Channel"
if ! reason=$(notify_mattermost "Nobody" "text" 2>&1); then echo "refused: $reason"; fi
state_get counter || echo "no counter"
state_set counter 'one "two" $three'
echo "counter: $(state_get counter)"
state_set gone x && state_delete gone
state_get gone || echo "gone is gone"
progress 1 4 "part one"
echo "run: $AGENT_RUN_TASK $AGENT_RUN_NUMBER $AGENT_RUN_ATTEMPT"
echo "payload: ${TASK_PAYLOAD-none}"
case ${AGENT_WEBHOOK_PARAMS-} in *'"from":"test"'*) echo "webhook: $AGENT_WEBHOOK_BODY" ;; esac
for i in 1 2 3 4 5; do notify_mattermost "Ops Channel" "bash: loop $i"; done
bash -c 'log_info "from a child"'
progress 4 4 "all of it"
notify_mattermost "Ops Channel" "bash: the last words"
