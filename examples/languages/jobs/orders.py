seen = state.get('seen', 0)
for order in range(1, 4):
    logger.info('order %d of run %d', order, run.number)
    progress(order, 3, f'order {order}')
state.set('seen', seen + 3)
notifications.send_mattermost('Ops Channel', f'Python has seen {seen + 3} orders')
