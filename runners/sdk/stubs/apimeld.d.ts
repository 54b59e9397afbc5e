// What a JavaScript or TypeScript script of a task finds without importing anything.
//
// For an editor: put this file beside the scripts; a tsconfig.json that includes
// it, or `/// <reference path="apimeld.d.ts" />` in a script, is enough.

/** A call that the agent refused; its message says why. */
declare class AgentError extends Error {}

declare var notifications: {
  Error: typeof AgentError
  /** Sends text to a webhook, by its name. When it returns, the message is stored. */
  sendMattermost(webhook: string, text: string, options?: { channel?: string }): void
}

/** Writes lines with a level to the run's log. */
declare var logger: Record<'debug' | 'info' | 'warn' | 'warning' | 'error', (...values: unknown[]) => void>

/** What the task remembers from run to run: JSON values by key. */
declare var state: {
  get<T = any>(key: string): T | undefined
  set(key: string, value: unknown): void
  delete(key: string): void
}

/** Says how far the run is; a total of 0 is one that is not known. */
declare function progress(done: number, total: number, text?: string): void

declare var run: {
  readonly id: string
  readonly number: number
  readonly task: string
  readonly attempt: number
  readonly scheduledFor: string
  readonly revision: string
  readonly trigger: string
  readonly url: string
}

/** What the run was triggered with: JSON when it is that, else text; null when there is nothing. */
declare var payload: any

/** The HTTP request that triggered the run; null when none did. */
declare var webhook: {
  readonly body: string
  readonly params: Record<string, string>
  readonly headers: Record<string, string>
  readonly triggeredAt: string
} | null
