import { CARD_ARGS, readCards, toAmdDevices } from '@berth/devices'
import type { RunTool } from './run-tool.ts'
import type { LookThroughTool } from './tool-look.ts'

/** Looks at the AMD cards. The tool complains on hosts that have none: that is no fault. */
export const lookAtAmd =
  (run: RunTool): LookThroughTool =>
  async () => {
    const answer = await run('rocm-smi', CARD_ARGS)
    return answer.kind === 'answered'
      ? { kind: 'seen', devices: toAmdDevices(readCards(answer.out)), complaints: [] }
      : { kind: answer.kind }
  }
