import { expect, it } from '@jest/globals'
import { FleetService, OperationType } from '@berth/contract'
import { BerthError } from '@berth/kernel'
import { createClient } from '@berth/rpc'
import { operatorOf, simPool, startFleet, until, type OperationView } from '@berth/test-support'

const refusalOf = (error: unknown) => {
  const { reason, facts } = BerthError.from(error)
  return { reason, facts }
}

it('a core that does not lead commands nothing and says who leads; the gateway finds that one', async () => {
  await using fleet = await startFleet({
    hosts: [{ hostId: 'h1', pools: [await simPool('a')] }],
    cores: 2,
  })
  const addresses = fleet.cores.map(({ ports }) => `127.0.0.1:${ports['grpcPort']}`)
  const askAll = () =>
    Promise.all(
      addresses.map(async (address) => {
        using client = createClient(FleetService, { address, defaultDeadlineMs: 5_000 })
        const command = { case: 'resetRestarts', value: {} } as const
        return await client.commandPool({ poolId: 'a', command }).then(
          ({ operation }) => ({ address, type: operation?.operation?.type }),
          (error: unknown) => ({ address, ...refusalOf(error) }),
        )
      }),
    )
  const answers = await askAll()
  const leader = answers.find((answer) => 'type' in answer)
  const other = answers.find((answer) => 'reason' in answer)
  expect(leader).toMatchObject({ type: OperationType.RESET_RESTARTS })
  expect(other).toMatchObject({
    ...{ reason: 'NOT_LEADER', facts: { leader_address: leader?.address } },
  })

  const operator = operatorOf(fleet)
  await fleet.cores[addresses.indexOf(leader!.address)]!.end('SIGKILL')
  const restart = await until('the next leader takes a command', async () => {
    const answer = await operator.post('/v1/pools/a/restart', {})
    return answer.status === 202 && ((await answer.json()) as OperationView)
  })
  expect(await operator.ended(restart)).toMatchObject({ status: 'completed' })
}, 90_000)
