/// <reference path="./apimeld.d.ts" />
interface Seen {
  orders: number
}

const seen = state.get<Seen>('seen') ?? { orders: 0 }
for (const order of [1, 2, 3]) {
  logger.info(`order ${order} of run ${run.number}`)
  progress(order, 3, `order ${order}`)
}
seen.orders += 3
state.set('seen', seen)
notifications.sendMattermost('Ops Channel', `TypeScript has seen ${seen.orders} orders`)
