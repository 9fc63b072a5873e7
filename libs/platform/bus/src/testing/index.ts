export { createMemoryBus, type MemoryBus } from './memory-bus.ts'
export { createMemoryServer, type MemoryServer } from './memory-server.ts'
export { startNatsServer, type NatsServer } from './nats-server.ts'
