export { toAmdDevices } from './amd-devices.ts'
export { checkBudgets, type BudgetClaim } from './check-budgets.ts'
export { GPU_PROCESS_ARGS, readGpuProcesses, type GpuProcess } from './compute-apps.ts'
export type { DeviceFault, DeviceKind, FoundDevice } from './device.ts'
export { readGpuList, type ListedGpu, type MigSlice } from './gpu-list.ts'
export {
  GPU_FIELDS,
  gpuQueryArgs,
  readBusId,
  readGpus,
  readUnknownField,
  type GpuReading,
} from './gpu-query.ts'
export { MASK_VARIABLES, maskEnv } from './mask-env.ts'
export { maskFacts, type MaskFacts } from './mask-memory.ts'
export { memoryOfProfile, readMigMemory, type SliceMemory } from './mig-memory.ts'
export { toNvidiaDevices, type HostMemory, type NvidiaAnswers } from './nvidia-devices.ts'
export { resolveMask, type ResolvedMask } from './resolve-mask.ts'
export { CARD_ARGS, readCards, type CardReading } from './rocm-smi.ts'
export { lost } from './row-fault.ts'
export { hungTool, readToolFaults, type ToolAnswer, type ToolFault } from './tool-fault.ts'
export { faultOfXid, readXid, type XidRecord } from './xid.ts'
