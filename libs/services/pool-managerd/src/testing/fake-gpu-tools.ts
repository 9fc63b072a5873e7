import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'

/** Stands in for `nvidia-smi` and `rocm-smi`: real processes that print what a test gives them. */
export interface FakeGpuTools extends AsyncDisposable {
  /** Puts the tools first. */
  readonly env: { readonly PATH: string }
  /** What a tool is to print or do; `undefined` takes it back. See `SCRIPT`. */
  set(file: FakeFile, text: string | undefined): Promise<void>
  /** Arguments of every call so far. */
  calls(): Promise<readonly string[]>
  /** Most calls that ran at the same time. */
  mostAtOnce(): Promise<number>
  read(file: string): Promise<string>
}

type FakeFile =
  /** Table with a header; the columns and GPUs asked for are printed. */
  | 'gpus.csv'
  | 'list.txt'
  | 'all.xml'
  | 'apps.csv'
  | 'cards.json'
  /** Fields that this driver does not know, a line each. */
  | 'unknown-fields'
  /** Printed instead of any answer. */
  | 'fail.txt'
  | 'fail.code'
  /** The tool never ends, nor does the child it makes, whose pid goes to `grandchild`. */
  | 'hang'
  /** A child of another session holds its output open for ever. */
  | 'escape'

const SCRIPT = `#!/bin/sh
dir="$(dirname "$0")"
echo "start $$ $(basename "$0") $*" >> "$dir/calls"
finish() { echo "end $$" >> "$dir/calls"; exit "$1"; }
if [ -e "$dir/hang" ]; then trap '' TERM; sleep 600 & echo $! > "$dir/grandchild"; wait; fi
if [ -e "$dir/escape" ]; then setsid sleep 600 & echo $! > "$dir/grandchild"; sleep 600; fi
if [ -e "$dir/fail.txt" ]; then cat "$dir/fail.txt"; finish "$(cat "$dir/fail.code")"; fi
case "$(basename "$0") $*" in
  rocm-smi*) cat "$dir/cards.json"; finish $? ;;
  *--query-gpu=*)
    asked="\${1#--query-gpu=}"
    for field in $(cat "$dir/unknown-fields" 2>/dev/null); do
      case ",$asked," in
        *",$field,"*) echo "Field \\"$field\\" is not a valid field to query."; finish 2 ;;
      esac
    done
    ids=""
    for arg in "$@"; do case "$arg" in --id=*) ids="\${arg#--id=}" ;; esac; done
    awk -F', ' -v asked="$asked" -v ids="$ids" '
      NR == 1 {
        for (i = 1; i <= NF; i++) { sub(/ \\[.*\\]$/, "", $i); at[$i] = i }
        n = split(asked, want, ",")
        next
      }
      ids != "" && index("," ids ",", "," $at["uuid"] ",") == 0 { next }
      {
        line = ""
        for (k = 1; k <= n; k++) {
          cell = $at[want[k]]
          sub(/ (MiB|%|W|MHz)$/, "", cell)
          line = line (k > 1 ? ", " : "") cell
        }
        print line
      }' "$dir/gpus.csv"
    finish 0 ;;
  *--query-compute-apps=*) cat "$dir/apps.csv" 2>/dev/null; finish 0 ;;
  *"-q -x") cat "$dir/all.xml"; finish $? ;;
  *-L) cat "$dir/list.txt"; finish $? ;;
esac
finish 2
`

/** Makes the tools named; one that is not made is not installed. */
export const makeFakeGpuTools = async (
  tools: readonly ('nvidia-smi' | 'rocm-smi')[] = ['nvidia-smi'],
): Promise<FakeGpuTools> => {
  const dir = await mkdtemp(join(tmpdir(), 'berth-gpu-'))
  await mkdir(dir, { recursive: true })
  await writeFile(join(dir, 'calls'), '')
  for (const tool of tools) {
    await writeFile(join(dir, tool), SCRIPT)
    await chmod(join(dir, tool), 0o755)
  }
  const read = (file: string) => readFile(join(dir, file), 'utf8')
  const lines = async () => (await read('calls')).split('\n').filter((line) => line !== '')
  return {
    env: { PATH: dir + delimiter + (process.env['PATH'] ?? '') },
    set: (file, text) =>
      text === undefined ? rm(join(dir, file), { force: true }) : writeFile(join(dir, file), text),
    calls: async () => (await lines()).flatMap((line) => /^start \d+ (.*)$/.exec(line)?.[1] ?? []),
    mostAtOnce: async () => {
      let running = 0
      return (await lines()).reduce((most, line) => {
        running += line.startsWith('start') ? 1 : -1
        return Math.max(most, running)
      }, 0)
    },
    read,
    [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }),
  }
}

/** UUID of the GPU with an index in `gpuTable`. */
export const gpuUuid = (index: number): string => `GPU-0000000${index}-1111-2222-3333-444444444444`

/** What `nvidia-smi` knows of GPUs; each row may say more than a plain one does. */
export const gpuTable = (...rows: readonly Readonly<Record<string, string>>[]): string => {
  const whole = rows.map((row, index) => ({ ...plainGpu(index), ...row }))
  const columns = Object.keys(plainGpu(0))
  return [columns, ...whole.map((row) => columns.map((column) => row[column as keyof typeof row]))]
    .map((cells) => cells.join(', '))
    .join('\n')
}

const plainGpu = (index: number) => ({
  index: String(index),
  uuid: gpuUuid(index),
  name: 'NVIDIA L4',
  'memory.total': '23034 MiB',
  'memory.free': '22000 MiB',
  'utilization.gpu': '3 %',
  'temperature.gpu': '41',
  compute_cap: '8.9',
  'mig.mode.current': '[N/A]',
  driver_version: '550.90.07',
  pstate: 'P8',
  'pci.bus_id': `00000000:8${index}:00.0`,
  'ecc.errors.uncorrected.volatile.total': '0',
  gpu_recovery_action: 'None',
})
