import { describe, expect, it } from '@jest/globals'
import { fixture } from './testing/fixture.ts'
import { hungTool, readToolFaults } from './tool-fault.ts'
import { faultOfXid, readXid } from './xid.ts'

const faults = (text: string, code: number | null = 255) => readToolFaults({ code, text })

describe('a complaint of nvidia-smi [003-TC-04, 003-IT-004]', () => {
  it.each([
    [
      'Failed to initialize NVML: Driver/library version mismatch\n',
      18,
      'driver_mismatch',
      /rmmod/,
    ],
    [
      "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure " +
        'that the latest NVIDIA driver is installed and running.\n\n',
      9,
      'driver_not_running',
      /modprobe nvidia/,
    ],
    [
      "NVIDIA-SMI couldn't find libnvidia-ml.so library in your system.",
      12,
      'library_missing',
      /driver package/,
    ],
    ['Failed to initialize NVML: Insufficient Permissions', 4, 'no_permission', /\/dev\/nvidia/],
    ['', 15, 'device_lost', /Reboot/],
    ['Segmentation fault', null, 'tool_failed', /ended by a signal.*Segmentation fault/],
    ['what is this', 255, 'tool_failed', /ended with 255 and said "what is this"/],
  ])('%j (exit %s) is %s and says what to do [001-GPM-4, 002-26c2]', (text, code, kind, advice) => {
    const found = faults(text, code)
    expect(found).toEqual([{ fault: { kind, message: expect.stringMatching(advice) } }])
  })

  it('names the one GPU it is about', () => {
    const text =
      'Unable to determine the device handle for GPU 0000:81:00.0: GPU is lost.  ' +
      'Reboot the system to recover this GPU\n'
    expect(faults(text, 15)).toEqual([
      {
        pciBusId: '0000:81:00',
        fault: { kind: 'device_lost', message: expect.stringContaining('Reboot the host') },
      },
    ])
  })

  it('names it also where no space stands before the bus id, as recorded', () => {
    expect(faults(fixture('error_unable-to-determine-device-handle.txt'))).toEqual([
      { pciBusId: '0000:91:00', fault: expect.objectContaining({ kind: 'device_lost' }) },
    ])
  })

  it.each([
    ['No devices were found\n', 6],
    ['0, GPU-a, NVIDIA L4\n', 0],
    ['', 0],
  ])('%j with exit %i is none', (text, code) => {
    expect(faults(text, code)).toEqual([])
  })

  it('that does not come at all is a fault too', () => {
    expect(hungTool('nvidia-smi', 15)).toMatchObject({
      kind: 'tool_hung',
      message: expect.stringMatching(/nvidia-smi has not answered for 15 s.*reboot/),
    })
  })
})

describe('the kernel log', () => {
  const xids = (name: string) =>
    fixture(name)
      .split('\n')
      .flatMap((line) => readXid(line) ?? [])
  const codes = (name: string) => [...new Set(xids(name).map(({ code }) => code))]

  it.each([
    ['xid-119_gsp-timeout_dmesg-T.log', '0000:9b:00', [119]],
    ['xid-48-63-94_dmesg-iso.log', '0000:19:00', [48, 63, 94]],
    ['xid-79_sxid-20034_dmesg.log', '0000:91:00', [79]],
  ])('[001-GPM-4] shows which GPU had which Xid (%s)', (name, bus, expected) => {
    expect(codes(name)).toEqual(expected)
    expect(new Set(xids(name).map(({ pciBusId }) => pciBusId))).toEqual(new Set([bus]))
  })

  it.each([
    ['xid-13-43_dmesg-decode-iso.log', [13, 43]],
    ['xid-145-149_nvlink5_lines.txt', [149, 145]],
    ['nvidia-driver-load_8x-h100_550.90.07.log', []],
    ['kmsg-raw_nvswitch.log', []],
  ])('takes nothing for an Xid that is none (%s)', (name, expected) => {
    expect(codes(name)).toEqual(expected)
  })

  it.each([48, 62, 64, 79, 95, 119, 120])(
    'Xid %i takes its GPU out and says what to do',
    (code) => {
      expect(faultOfXid(code)).toMatchObject({
        kind: 'xid',
        message: expect.stringMatching(new RegExp(`Xid ${code} .*(reset|Reboot)`)),
      })
    },
  )

  it.each([13, 31, 43, 45, 63, 94, 145, 99_999])('Xid %i leaves the GPU to its engine', (code) => {
    expect(faultOfXid(code)).toBeUndefined()
  })
})
