import { BerthError } from '@berth/kernel'
import type { GetAnswer } from '../egress/http-get.ts'
import type { HttpsRef } from '../ref/model-ref.ts'
import { FILES_DIR, shortHash } from '../disk/store-paths.ts'
import type { FetchPlan, FileCheck } from './fetch-plan.ts'
import type { SourceDeps } from './source.ts'

/** The one file at an address. Its content is known beforehand only where a digest was given. */
export const planHttps = (
  deps: SourceDeps,
  { url, fileName, canonical }: HttpsRef,
  check: FileCheck | undefined,
): FetchPlan => {
  const path = `${FILES_DIR}/${shortHash(canonical)}/${fileName}`
  return {
    kind: 'file',
    path,
    files: [
      {
        ...{ name: fileName, path, ...(check === undefined ? {} : { check }) },
        open: (headers, signal) => deps.get({ url, headers, signal }),
        refuse: refuseHttps,
      },
    ],
  }
}

const refuseHttps = ({ status, url }: GetAnswer): BerthError => {
  const facts = { status }
  if (status === 401 || status === 403)
    return new BerthError(
      status === 401 ? 'UNAUTHENTICATED' : 'FORBIDDEN',
      `${url.host} answers ${status}: the file is not for everyone. Use an address that needs no login, or put the file below the model folder and name it with file:.`,
      { facts },
    )
  if (status === 404 || status === 410)
    return new BerthError(
      'MODEL_NOT_FOUND',
      `${url.host} answers ${status}: there is no such file. Check the address.`,
      { facts },
    )
  return new BerthError(
    'MODEL_LOAD_FAILED',
    `${url.host} answers ${status} instead of a file. Check the address.`,
    { facts },
  )
}
