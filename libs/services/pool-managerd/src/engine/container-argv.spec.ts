import { describe, expect, it } from '@jest/globals'
import type { GrantedGpu } from '@berth/supervision'
import { containerArgv, isPinned, type ContainerRun } from './container-argv.ts'

const IMAGE = `registry.example/vllm@sha256:${'ab'.repeat(32)}`
const RUN: ContainerRun = {
  runtime: 'docker',
  image: IMAGE,
  name: 'berth-i-1',
  labels: { 'berth.instance': 'i-1', 'berth.agent': 'a-1' },
  argv: ['vllm', 'serve', 'm', '--port', '8123'],
  variables: ['BERTH_INSTANCE_ID', 'VLLM_API_KEY'],
  port: 8_123,
  gpus: [],
  user: { uid: 10_002, gid: 10_003 },
  isRootless: false,
  groups: [],
  modelFolder: '/srv/models',
  home: '/var/lib/berth/pools/a/home',
  stopGraceMs: 10_500,
}
const gpu = (kind: GrantedGpu['kind'], uuid: string): GrantedGpu => ({
  ...{ deviceId: '0', uuid, kind, computeCapability: '' },
})
const more = (change: Partial<ContainerRun>) =>
  containerArgv({ ...RUN, ...change }).filter((word) => !containerArgv(RUN).includes(word))

describe('the command line of a container [002-10a2, 002-20b, 002-20b2]', () => {
  it('is hardened, reachable on loopback alone, and holds no secret', () => {
    expect(containerArgv(RUN)).toEqual([
      ...['docker', 'run', '--rm', '--name=berth-i-1'],
      ...['--label=berth.instance=i-1', '--label=berth.agent=a-1'],
      ...['--restart=no', '--log-driver=none', '--pull=missing', '--stop-timeout=11'],
      '--publish=127.0.0.1:8123:8123/tcp',
      '--user=10002:10003',
      ...['--read-only', '--cap-drop=ALL', '--security-opt=no-new-privileges'],
      '--pids-limit=4096',
      '--tmpfs=/tmp:rw,nosuid,nodev,size=4g',
      '--mount=type=bind,source=/var/lib/berth/pools/a/home,target=/home/engine',
      '--mount=type=bind,source=/srv/models,target=/srv/models,readonly',
      ...['--env=BERTH_INSTANCE_ID', '--env=VLLM_API_KEY'],
      ...['--env=HOME=/home/engine', '--workdir=/home/engine'],
      ...['--entrypoint=vllm', IMAGE, 'serve', 'm', '--port', '8123'],
    ])
  })

  it('never turns seccomp or AppArmor off', () => {
    const gpus = [gpu('nvidia', 'GPU-1'), gpu('amd', 'x')]
    for (const runtime of ['podman', 'docker'] as const) {
      const text = containerArgv({ ...RUN, runtime, gpus }).join(' ')
      expect(text).not.toContain('unconfined')
      expect(text).not.toContain('privileged ')
    }
  })

  it('of podman without root keeps the user who he is', () => {
    const isRootless = true
    expect(more({ runtime: 'podman', isRootless })).toEqual(['podman', '--userns=keep-id'])
    expect(more({ runtime: 'podman' })).toEqual(['podman'])
    expect(more({ isRootless })).toEqual([])
  })

  it('names NVIDIA GPUs by UUID, as each runtime wants it', () => {
    const gpus = [gpu('nvidia', 'GPU-1'), gpu('nvidia_mig', 'MIG-2')]
    expect(more({ gpus })).toEqual(['--shm-size=16g', '--gpus="device=GPU-1,MIG-2"'])
    expect(more({ gpus, runtime: 'podman' })).toEqual([
      ...['podman', '--shm-size=16g'],
      ...['--device=nvidia.com/gpu=GPU-1', '--device=nvidia.com/gpu=MIG-2'],
      '--security-opt=label=disable',
    ])
  })

  it('gives AMD GPUs by their device files and the groups that own them', () => {
    expect(more({ gpus: [gpu('amd', 'x')], groups: [44, 105] })).toEqual([
      ...['--group-add=44', '--group-add=105'],
      ...['--shm-size=16g', '--device=/dev/kfd', '--device=/dev/dri'],
    ])
  })

  it('mounts no folder of models where the engine reads none', () => {
    const { modelFolder: _, ...bare } = RUN
    expect(containerArgv(bare).filter((word) => word.includes('readonly'))).toEqual([])
  })
})

it.each([
  [IMAGE, true],
  ['vllm/vllm-openai:v0.11.0', false],
  ['vllm@sha256:abc', false],
])('an image is pinned by a whole digest: %s', (image, isIt) => {
  expect(isPinned(image)).toBe(isIt)
})
