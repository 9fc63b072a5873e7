import type { ConfigValues } from './config-values.ts'

/**
 * Bytes of the state of one block for one sequence: what its convolution looks back at, in the
 * model's own type, and the state, in the type the config names for it. Undefined when the config
 * does not tell.
 *
 * Source: vLLM 0.11, `MambaStateShapeCalculator` in
 * vllm/model_executor/layers/mamba/mamba_utils.py
 */
export const configStateBytes = (values: ConfigValues, embedding: number): number | undefined => {
  const own = bytesOf(values.text('torch_dtype') ?? values.text('dtype'))
  const named = values.text('mamba_ssm_cache_dtype') ?? values.text('mamba_ssm_dtype')
  const stateBytes = named === undefined ? own : bytesOf(named)
  const numbers = deltaNumbers(values) ?? mamba2Numbers(values) ?? mambaNumbers(values, embedding)
  return numbers && numbers.convolution * own + numbers.state * stateBytes
}

interface StateNumbers {
  readonly convolution: number
  readonly state: number
}

/** Gated delta net: Qwen3-Next and Qwen 3.5. */
const deltaNumbers = (values: ConfigValues): StateNumbers | undefined => {
  const keyHeads = values.number('linear_num_key_heads')
  const keyDim = values.number('linear_key_head_dim')
  const valueHeads = values.number('linear_num_value_heads')
  const valueDim = values.number('linear_value_head_dim')
  const kernel = values.number('linear_conv_kernel_dim')
  if (!keyHeads || !keyDim || !valueHeads || !valueDim || !kernel) return undefined
  const width = 2 * keyHeads * keyDim + valueHeads * valueDim
  return { convolution: (kernel - 1) * width, state: valueHeads * keyDim * valueDim }
}

const mamba2Numbers = (values: ConfigValues): StateNumbers | undefined => {
  const heads = values.number('mamba_num_heads', 'mamba_n_heads', 'num_heads')
  const headDim = values.number('mamba_head_dim', 'mamba_d_head', 'head_dim')
  const state = values.number('ssm_state_size', 'mamba_d_state', 'state_size')
  const kernel = values.number('conv_kernel', 'mamba_d_conv')
  const groups = values.number('n_groups', 'mamba_n_groups')
  if (!heads || !headDim || !state || !kernel || !groups) return undefined
  const width = heads * headDim + 2 * groups * state
  return { convolution: (kernel - 1) * width, state: heads * headDim * state }
}

const mambaNumbers = (values: ConfigValues, embedding: number): StateNumbers | undefined => {
  const state = values.number('mamba_d_state', 'state_size')
  const kernel = values.number('mamba_d_conv', 'conv_kernel')
  const expand = values.number('mamba_expand', 'expand')
  if (!state || !kernel || !expand) return undefined
  const inner = values.number('intermediate_size_ssm') ?? expand * embedding
  return { convolution: (kernel - 1) * inner, state: inner * state }
}

const bytesOf = (type: string | undefined): number => (/32/.test(type ?? '') ? 4 : 2)
