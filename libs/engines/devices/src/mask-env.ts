import type { FoundDevice } from './device.ts'

type MaskVariable =
  'CUDA_VISIBLE_DEVICES' | 'CUDA_DEVICE_ORDER' | 'HIP_VISIBLE_DEVICES' | 'ROCR_VISIBLE_DEVICES'

/** Every variable that a mask sets or keeps from an engine. */
export const MASK_VARIABLES: readonly MaskVariable[] = [
  'CUDA_VISIBLE_DEVICES',
  'CUDA_DEVICE_ORDER',
  'HIP_VISIBLE_DEVICES',
  'ROCR_VISIBLE_DEVICES',
]

/**
 * What makes an engine see the devices of its mask and no other. NVIDIA by UUID: an index means
 * another GPU to CUDA than to nvidia-smi. AMD in two layers, as HIP counts within what ROCr shows;
 * HIP reads CUDA_VISIBLE_DEVICES too, so that is the same. The processor: no GPU at all.
 *
 * Sources: CUDA C++ Programming Guide, "Environment Variables"; ROCm, "GPU isolation techniques".
 */
export const maskEnv = (
  devices: readonly FoundDevice[],
): Readonly<Partial<Record<MaskVariable, string>>> => {
  const gpus = devices.filter(({ kind }) => kind !== 'cpu')
  if (gpus.length === 0) return { CUDA_VISIBLE_DEVICES: '', HIP_VISIBLE_DEVICES: '-1' }
  if (gpus.some(({ kind }) => kind === 'amd')) return amdEnv(gpus)
  return {
    CUDA_VISIBLE_DEVICES: gpus.map(({ uuid }) => uuid).join(','),
    CUDA_DEVICE_ORDER: 'PCI_BUS_ID',
  }
}

const amdEnv = (gpus: readonly FoundDevice[]) => {
  const haveUuids = gpus.every(({ uuid }) => uuid.startsWith('GPU-'))
  const visible = gpus.map(({ deviceId }, at) => (haveUuids ? String(at) : deviceId)).join(',')
  return {
    ...(haveUuids ? { ROCR_VISIBLE_DEVICES: gpus.map(({ uuid }) => uuid).join(',') } : {}),
    HIP_VISIBLE_DEVICES: visible,
    CUDA_VISIBLE_DEVICES: visible,
  }
}
