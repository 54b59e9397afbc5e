seen=$(state_get seen || echo 0)
for order in 1 2 3; do
  log_info "order $order of run $AGENT_RUN_NUMBER"
  progress "$order" 3 "order $order"
done
state_set seen $((seen + 3))
notify_mattermost "Ops Channel" "Bash has seen $((seen + 3)) orders"
