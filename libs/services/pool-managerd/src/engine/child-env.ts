import { INSTANCE_VARIABLE } from '../state/process-scan.ts'

/**
 * What an engine may know of the agent's environment. Everything else, the agent's own secrets
 * first, stays out; VLLM_* does too, because VLLM_PORT and its like change an engine's meaning.
 */
const ALLOWED =
  /^(PATH|HOME|USER|LANG|LC_\w+|TZ|TMPDIR|LD_LIBRARY_PATH|SSL_CERT_FILE|SSL_CERT_DIR|HF_HOME|HF_TOKEN|CUDA_\w+|NVIDIA_\w+|ROCR?_\w+|HIP_\w+|(https?|no)_proxy|HTTPS?_PROXY|NO_PROXY)$/

/** The whole environment of an engine process: the allow-list, the plan's own, the instance. */
export const childEnv = (
  agentEnv: Readonly<Record<string, string | undefined>>,
  planEnv: Readonly<Record<string, string>>,
  instanceId: string,
): Record<string, string> => ({
  ...Object.fromEntries(
    Object.entries(agentEnv).filter(
      (entry): entry is [string, string] => ALLOWED.test(entry[0]) && entry[1] !== undefined,
    ),
  ),
  ...planEnv,
  [INSTANCE_VARIABLE]: instanceId,
})
