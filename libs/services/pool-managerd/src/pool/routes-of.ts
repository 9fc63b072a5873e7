import type { Pool } from './pool.ts'

/** The paths an engine of this pool answers, of all that engines of its kind may. */
export const routesOf = ({ driver, spec }: Pick<Pool, 'driver' | 'spec'>): readonly string[] =>
  driver.routes?.(spec.engine) ?? driver.abilities.routes
