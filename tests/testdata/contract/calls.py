import os, subprocess, sys
logger.debug("a debug line")
logger.info("an info line")
logger.warn("a warning line")
logger.error("an error line")
notifications.send_mattermost('Ops Channel', 'python: ' + 'Sync in progress: 500/1000 records processed')
for i in range(1, 8):
    notifications.send_mattermost('Ops Channel', 'python: ' + os.environ[f'TEXT_{i}'])
notifications.send_mattermost('Ops Channel', 'x' * 1048576)
try:
    notifications.send_mattermost('Nobody', 'text')
except RuntimeError as e:
    print('refused:', e)
print('no counter' if state.get('counter') is None else state.get('counter'))
state.set('counter', 'one "two" $three')
print('counter:', state.get('counter'))
state.set('gone', {'x': [1, None]})
assert state.get('gone') == {'x': [1, None]}
state.delete('gone')
print('gone is gone' if state.get('gone') is None else 'gone is there')
progress(1, 4, 'part one')
print('run:', run.task, run.number, run.attempt)
print('payload:', 'none' if payload is None else payload if isinstance(payload, str) else payload['a'])
if webhook and webhook.params['from'] == 'test':
    print('webhook:', webhook.body)
for i in range(1, 6):
    notifications.send_mattermost('Ops Channel', f'python: loop {i}')
sys.stdout.flush()
subprocess.run([sys.executable, '-c', 'logger.info("from a child")'], check=True)
progress(4, 4, 'all of it')
notifications.send_mattermost('Ops Channel', 'python: the last words')
os._exit(0)
