export {
  CALM,
  createSimNetwork,
  type ChannelEnds,
  type LinkFaults,
  type SimChannel,
  type SimNetwork,
} from './sim-network.ts'
