import { Agent, createServer, request } from 'node:http'

// The least a proxy in Node can be: what it adds is the floor for any ingress. It takes the address
// of the engine and prints its own port.
const target = new URL(process.argv[2]!)
const agent = new Agent({ keepAlive: true })
const server = createServer((req, res) => {
  const { host: _, ...headers } = req.headers
  const options = { host: target.hostname, port: target.port, path: req.url, method: 'POST' }
  const upstream = request({ ...options, headers, agent }, (answer) => {
    res.writeHead(answer.statusCode ?? 502, answer.headers)
    answer.pipe(res)
  })
  req.pipe(upstream)
})
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  process.stdout.write(`${typeof address === 'object' ? address?.port : ''}\n`)
})
