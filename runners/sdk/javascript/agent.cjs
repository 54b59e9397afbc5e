// The agent's SDK for JavaScript and TypeScript: notifications, logger, state,
// progress, run, payload and webhook. Node loads this file before a script.
//
// They are properties of globalThis: a script's own variables, imports and
// classes of these names win. Node's standard library only, and what is slow to
// load is loaded when it is used.
'use strict'

if (process.env.AGENT_RUN_SOCKET) install()

function install() {
  const fs = require('node:fs')
  const env = { ...process.env }

  /** A call that the agent refused; its message says why. */
  class AgentError extends Error {
    constructor(message) {
      super(message)
      this.name = 'AgentError'
    }
  }

  // Node has no socket that blocks, and a call must have happened when it
  // returns: so the agent's own binary makes it. Texts go by standard input.
  function ask(what, args, input) {
    const { spawnSync } = require('node:child_process')
    const r = spawnSync(env.AGENT_RUN_BIN, args, {
      input: input ?? '',
      encoding: 'utf8',
      maxBuffer: 16 << 20,
      env: { AGENT_RUN_SOCKET: env.AGENT_RUN_SOCKET, AGENT_RUN_TOKEN: env.AGENT_RUN_TOKEN },
    })
    if (r.error) throw new AgentError(`reach the agent: ${r.error.message}`)
    if (r.status === 0) return r.stdout
    if (r.status === 1 && args[0] === 'state' && args[1] === 'get') return undefined
    const said = r.stderr.trim()
    const prefix = `agent: ${what}: `
    throw new AgentError((said.startsWith(prefix) ? said.slice(prefix.length) : said) || `the agent ended with ${r.status ?? r.signal}`)
  }

  let pipe
  function record(kind, text, fallback) {
    try {
      if (pipe === undefined) {
        // Opening for writing waits for a reader: here it is this process, for a
        // moment. Once the agent is gone, writing fails instead of waiting.
        const reader = fs.openSync(env.AGENT_RUN_LOG, fs.constants.O_RDWR)
        pipe = fs.openSync(env.AGENT_RUN_LOG, fs.constants.O_WRONLY)
        fs.closeSync(reader)
      }
      for (const line of text.replaceAll('\0', '').split('\n')) {
        let rest = Buffer.from(line)
        do {
          // A pipe takes up to 4096 bytes at once without mixing them with another's.
          write(Buffer.concat([Buffer.from(kind + ' '), rest.subarray(0, 4000), Buffer.from('\n')]))
          rest = rest.subarray(4000)
        } while (rest.length > 0)
      }
    } catch {
      if (fallback) process.stderr.write(`${kind}: ${text}\n`)
    }
  }
  function write(bytes) {
    for (let done = 0; done < bytes.length; ) done += fs.writeSync(pipe, bytes, done)
  }

  const { format } = require('node:util')
  const log = (level) => (...values) => record(level, format(...values), true)

  const notifications = {
    Error: AgentError,
    /** Sends text to a webhook, by its name. When it returns, the message is stored. */
    sendMattermost(webhook, text, { channel } = {}) {
      const args = ['notify']
      if (channel) args.push('--channel', String(channel))
      ask(`notify ${webhook}`, [...args, '--', String(webhook)], String(text))
    },
  }
  const logger = { debug: log('debug'), info: log('info'), warn: log('warning'), warning: log('warning'), error: log('error') }
  const state = {
    /** The value of a key, or undefined. */
    get(key) {
      const text = ask(`read state ${key}`, ['state', 'get', '--json', '--', String(key)])
      return text === undefined ? undefined : JSON.parse(text)
    },
    set(key, value) {
      const text = JSON.stringify(value)
      if (text === undefined) throw new TypeError('a state must be JSON; delete takes one away')
      ask(`keep state ${key}`, ['state', 'set', '--json', '--', String(key)], text)
    },
    delete(key) {
      ask(`forget state ${key}`, ['state', 'delete', '--', String(key)])
    },
  }
  const progress = (done, total, text = '') => record('progress', `${Number(done)} ${Number(total)} ${String(text).replaceAll('\n', ' ')}`)
  const run = Object.freeze({
    id: env.AGENT_RUN_ID,
    number: Number(env.AGENT_RUN_NUMBER),
    task: env.AGENT_RUN_TASK,
    attempt: Number(env.AGENT_RUN_ATTEMPT),
    scheduledFor: env.AGENT_RUN_SCHEDULED_FOR,
    revision: env.AGENT_RUN_REVISION,
    trigger: env.AGENT_RUN_TRIGGER,
    url: env.AGENT_RUN_URL,
  })
  const parse = (text) => {
    try {
      return JSON.parse(text)
    } catch {
      return text
    }
  }
  const payload = env.TASK_PAYLOAD === undefined ? null : parse(env.TASK_PAYLOAD)
  const webhook = env.AGENT_WEBHOOK_TRIGGERED_AT
    ? Object.freeze({
        body: env.TASK_PAYLOAD ?? '',
        params: parse(env.AGENT_WEBHOOK_PARAMS ?? '{}'),
        headers: parse(env.AGENT_WEBHOOK_HEADERS ?? '{}'),
        triggeredAt: env.AGENT_WEBHOOK_TRIGGERED_AT,
      })
    : null

  for (const [name, value] of Object.entries({ notifications, logger, state, progress, run, payload, webhook })) {
    Object.defineProperty(globalThis, name, { value, writable: true, configurable: true })
  }
  // A module with a top-level await may still use require.
  if (env.AGENT_RUN_SCRIPT) {
    let require
    Object.defineProperty(globalThis, 'require', {
      get: () => (require ??= module.constructor.createRequire(env.AGENT_RUN_SCRIPT)),
      set: (value) => { require = value },
      configurable: true,
    })
  }
}
