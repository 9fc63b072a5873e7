export { createHeaderReader, type HeaderReader, type HeaderReaderOptions } from './header-reader.ts'
export type {
  GgufHeader,
  HeaderValue,
  ModelHeader,
  SafetensorsHeader,
  TensorSums,
} from './model-header.ts'
