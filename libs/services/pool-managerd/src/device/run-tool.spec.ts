import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { createSimClock } from '@berth/kernel/testing'
import { systemClock } from '@berth/runtime'
import { eventually } from '../testing/eventually.ts'
import { makeFakeGpuTools, type FakeGpuTools } from '../testing/fake-gpu-tools.ts'
import { isAlive } from '../testing/is-alive.ts'
import { createToolRunner, TOOL_TIMEOUT_MS } from './run-tool.ts'

let tools: FakeGpuTools
beforeEach(async () => {
  tools = await makeFakeGpuTools()
})
afterEach(async () => {
  await tools[Symbol.asyncDispose]()
})

const grandchild = () =>
  eventually('the tool has a child', async () => {
    const text = await tools.read('grandchild').catch(() => '')
    return text.trim() !== '' && Number(text)
  })

describe('a tool of the host', () => {
  it('answers with its exit code and what it said', async () => {
    await tools.set('list.txt', 'GPU 0: a\n')
    using runner = createToolRunner({ clock: systemClock(), env: tools.env })
    expect(await runner.run('nvidia-smi', ['-L'])).toEqual({
      ...{ kind: 'answered', code: 0, out: 'GPU 0: a\n' },
      text: expect.stringContaining('GPU 0: a'),
    })
    expect(await runner.run('nvidia-smi', ['--strange'])).toMatchObject({ code: 2 })
  })

  it('[001-GPM-5, 002-05a] that is not installed is missing, which is no error', async () => {
    using runner = createToolRunner({ clock: systemClock(), env: tools.env })
    expect(await runner.run('rocm-smi', [])).toEqual({ kind: 'missing' })
  })

  it('[001-GPM-5] that hangs is silent after 5 s and killed with what it started', async () => {
    await tools.set('hang', '')
    const clock = createSimClock()
    using runner = createToolRunner({ clock, env: tools.env })
    const asked = runner.run('nvidia-smi', ['-L'])
    const pid = await grandchild()
    expect(isAlive(pid)).toBe(true)
    await clock.advance(TOOL_TIMEOUT_MS)
    expect(await asked).toEqual({ kind: 'silent' })
    await eventually('its child is dead', () => !isAlive(pid))
  })

  it('is asked one question at a time, whoever asks', async () => {
    await tools.set('list.txt', '')
    using runner = createToolRunner({ clock: systemClock(), env: tools.env })
    await Promise.all(Array.from({ length: 5 }, () => runner.run('nvidia-smi', ['-L'])))
    expect(await tools.calls()).toHaveLength(5)
    expect(await tools.mostAtOnce()).toBe(1)
  })

  it('that cannot be ended is not started again before it is gone', async () => {
    await tools.set('escape', '')
    const clock = createSimClock()
    using runner = createToolRunner({ clock, env: tools.env })
    const asked = runner.run('nvidia-smi', ['-L'])
    const pid = await grandchild()
    await clock.advance(TOOL_TIMEOUT_MS)
    expect(await asked).toEqual({ kind: 'silent' })
    for (let at = 0; at < 3; at++)
      expect(await runner.run('nvidia-smi', ['-L'])).toEqual({ kind: 'silent' })
    expect(await tools.calls()).toHaveLength(1)
    await tools.set('escape', undefined)
    await tools.set('list.txt', '')
    process.kill(pid, 'SIGKILL')
    await eventually('it can be asked again', async () => {
      const { kind } = await runner.run('nvidia-smi', ['-L'])
      return kind === 'answered'
    })
  })

  it('is ended with the agent', async () => {
    await tools.set('hang', '')
    const runner = createToolRunner({ clock: systemClock(), env: tools.env })
    const asked = runner.run('nvidia-smi', ['-L'])
    const pid = await grandchild()
    runner[Symbol.dispose]()
    expect(await asked).toMatchObject({ code: null })
    await eventually('its child is dead', () => !isAlive(pid))
    expect(await runner.run('nvidia-smi', ['-L'])).toEqual({ kind: 'silent' })
  })

  it('knows nothing of the secrets of the agent, and speaks English', async () => {
    using runner = createToolRunner({
      clock: systemClock(),
      env: { ...tools.env, NATS_PASSWORD: 'secret', LC_ALL: 'de_DE' },
    })
    const answer = await runner.run('env', [])
    expect(answer).toMatchObject({ out: expect.stringContaining('LC_ALL=C\n') })
    expect(answer).toMatchObject({ out: expect.not.stringContaining('secret') })
  })
})
