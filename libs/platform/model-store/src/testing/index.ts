export { startFakeHub, type FakeHub, type HubFixture, type HubFixtureFile } from './fake-hub.ts'
export { serveBytes, type Served } from './serve-bytes.ts'
export { startServer, type SeenRequest, type TestServer } from './start-server.ts'
export { createTestStore, type TestStore } from './test-store.ts'
