import type { Metrics } from '@berth/runtime'
import type { RequestHandler } from 'express'
import type { Fleet } from '../fleet-client.ts'
import type { Session } from '../session.ts'
import { VERSION } from '../version.ts'
import { contextOf } from './request-context.ts'

/** `GET /healthz`: the process runs. */
export const healthz: RequestHandler = (_req, res) => void res.json({ status: 'ok' })

/** `GET /v1/version` */
export const version: RequestHandler = (_req, res) =>
  void res.json({ name: 'berth', version: VERSION, api: 'v1' })

/** `GET /metrics`, in the Prometheus text format. */
export const metricsText =
  (metrics: Metrics): RequestHandler =>
  async (_req, res) =>
    void res.type(metrics.contentType).send(await metrics.text())

export interface ReadyDeps {
  readonly session: Session
  readonly fleet: Fleet
  isDraining(): boolean
}

/** `GET /readyz`: 200 with a session to the leader and no stop under way, else 503. */
export const readyz =
  ({ session, fleet, isDraining }: ReadyDeps): RequestHandler =>
  async (_req, res) => {
    const { state } = session
    const isReady = state.kind === 'up' && !isDraining()
    const isBusConnected = isReady
      ? await fleet.getStatus(contextOf(res).correlationId).then(
          (status) => status.isBusConnected,
          // A core too busy to say is still a core that takes jobs.
          () => null,
        )
      : null
    res.status(isReady ? 200 : 503).json({
      ready: isReady,
      draining: isDraining(),
      core: state.kind === 'up' ? { address: state.address, leader_id: state.leaderId } : null,
      nats_connected: isBusConnected,
    })
  }
