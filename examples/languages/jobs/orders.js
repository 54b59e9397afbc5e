const seen = state.get('seen') ?? 0
for (const order of [1, 2, 3]) {
  logger.info(`order ${order} of run ${run.number}`)
  progress(order, 3, `order ${order}`)
}
state.set('seen', seen + 3)
notifications.sendMattermost('Ops Channel', `JavaScript has seen ${seen + 3} orders`)
