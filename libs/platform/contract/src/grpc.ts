// What gRPC itself defines, for `@berth/rpc` alone: error details, health and reflection. Apart
// from `index.ts`, because these are not Berth's contracts.
export { StatusSchema } from './gen/google/rpc/status_pb.ts'
export { ErrorInfoSchema, RetryInfoSchema } from './gen/google/rpc/error_details_pb.ts'
export { Health, HealthCheckResponse_ServingStatus } from './gen/grpc/health/v1/health_pb.ts'
export { ServerReflection } from './gen/grpc/reflection/v1/reflection_pb.ts'
export { ServerReflection as AlphaReflection } from './gen/grpc/reflection/v1alpha/reflection_pb.ts'
