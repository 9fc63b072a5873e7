import type { RequestHandler } from 'express'
import { admit, type AccessDeps, type Need } from './access.ts'
import { contextOf } from './request-context.ts'

/** Before the handler of a route: who calls, and whether they may. No byte of the body is read. */
export const authorize =
  (deps: AccessDeps, need: Need): RequestHandler =>
  (req, res, next) => {
    contextOf(res).access = admit(deps, need, req.headers)
    next()
  }
