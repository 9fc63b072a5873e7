import { linesOf, nameOf } from './cell.ts'
import type { DeviceFault } from './device.ts'
import { readBusId } from './gpu-query.ts'
import { lost } from './row-fault.ts'

/** What a tool's complaint means, and the one GPU it is about when it names one. */
export interface ToolFault {
  readonly fault: DeviceFault
  /** Absent: nothing on this host can be asked about. */
  readonly pciBusId?: string
}

/** A tool's answer as far as its complaints go. */
export interface ToolAnswer {
  /** `null`: a signal ended it. */
  readonly code: number | null
  /** stdout and stderr together. */
  readonly text: string
}

/**
 * What `nvidia-smi` complains of; none when the answer is good or there is simply no GPU. Texts
 * and exit codes: manual of nvidia-smi, "Return value", and recorded failures.
 */
export const readToolFaults = ({ code, text }: ToolAnswer): readonly ToolFault[] => {
  const named = linesOf(text).flatMap((line) => {
    const pciBusId = readBusId(line)
    return pciBusId !== undefined && /Unable to determine the device handle|GPU is lost/i.test(line)
      ? [{ fault: lost(`"${quote(line)}"`), pciBusId }]
      : []
  })
  if (named.length > 0) return named.slice(0, 64)
  const known = KNOWN.find(({ pattern, codes }) => pattern.test(text) || isOneOf(codes, code))
  if (known) return [{ fault: { kind: known.kind, message: known.message } }]
  if (code === 0 || isEmptyHost(code, text)) return []
  return [{ fault: failed(code, text) }]
}

const isEmptyHost = (code: number | null, text: string): boolean =>
  code === 6 || /No devices were found/i.test(text)

const isOneOf = (codes: readonly number[], code: number | null): boolean =>
  code !== null && codes.includes(code)

const KNOWN: readonly (DeviceFault & {
  readonly pattern: RegExp
  readonly codes: readonly number[]
})[] = [
  {
    kind: 'driver_mismatch',
    pattern: /Driver\/library version mismatch/i,
    codes: [13],
    message:
      'The NVIDIA driver in the kernel and its libraries are of different versions, as after an ' +
      'upgrade: running engines go on, none can start. Stop what uses the GPUs and reload the ' +
      'modules (`rmmod nvidia_drm nvidia_modeset nvidia_uvm nvidia; modprobe nvidia`), or reboot.',
  },
  {
    kind: 'driver_not_running',
    pattern: /couldn't communicate with the NVIDIA driver|Driver Not Loaded/i,
    codes: [9],
    message:
      'nvidia-smi cannot reach the NVIDIA driver. Load it with `modprobe nvidia` and see ' +
      '`dmesg | grep -i nvrm`; after a new kernel rebuild it (`dkms autoinstall`), then reboot.',
  },
  {
    kind: 'library_missing',
    pattern: /couldn't find libnvidia-ml|NVML (?:Shared )?Library (?:couldn't be found|Not Found)/i,
    codes: [12],
    message:
      'nvidia-smi does not find the library of the driver (libnvidia-ml.so). Install the driver ' +
      'package of the version `cat /proc/driver/nvidia/version` shows; in a container, the toolkit.',
  },
  {
    kind: 'no_permission',
    pattern: /Insufficient Permissions/i,
    codes: [4],
    message:
      'nvidia-smi may not open the GPUs. Let the user of the agent read and write /dev/nvidia*, ' +
      'such as by the group that owns them.',
  },
  {
    kind: 'device_lost',
    pattern: /GPU is lost|fallen off the bus/i,
    codes: [15],
    message: lost('nvidia-smi says that a GPU is lost').message,
  },
  {
    kind: 'device_lost',
    pattern: /Unable to determine the device handle/i,
    codes: [],
    message: lost('nvidia-smi has no handle for it').message,
  },
]

const failed = (code: number | null, text: string): DeviceFault => {
  const said = linesOf(text).find((line) => line.trim() !== '')
  const how = code === null ? 'was ended by a signal' : `ended with ${code}`
  return {
    kind: 'tool_failed',
    message:
      `nvidia-smi ${how}${said === undefined ? '' : ` and said "${quote(said)}"`}. ` +
      'Run it by hand and see `dmesg | grep -i nvrm`.',
  }
}

const quote = (line: string): string => nameOf(line, '').slice(0, 160)

/** The tool gave no answer, again and again. */
export const hungTool = (tool: string, seconds: number): DeviceFault => ({
  kind: 'tool_hung',
  message:
    `${tool} has not answered for ${seconds} s: a GPU or its driver hangs. See ` +
    '`dmesg | grep -iE "nvrm|amdgpu"`; when the tool cannot be ended (`ps -o stat,wchan`), reboot.',
})
