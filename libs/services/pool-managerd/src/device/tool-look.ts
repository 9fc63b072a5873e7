import type { FoundDevice, ToolFault } from '@berth/devices'

/** Tools that devices are found by. */
export type ToolName = 'nvidia-smi' | 'rocm-smi'

/** What one look through a tool brought. */
export type ToolLook =
  | { readonly kind: 'missing' }
  | { readonly kind: 'silent' }
  | {
      readonly kind: 'seen'
      readonly devices: readonly FoundDevice[]
      /** What the tool complained of, besides what stands in the devices. */
      readonly complaints: readonly ToolFault[]
    }

/** One look at the devices of a tool. It remembers what a driver can be asked. */
export type LookThroughTool = () => Promise<ToolLook>
