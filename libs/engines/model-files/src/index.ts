export { factsFromConfig } from './facts-from-config.ts'
export { factsFromGguf } from './facts-from-gguf.ts'
export { sparseGguf, type SparseGgufShape } from './sparse-gguf.ts'
export { tinyGguf, type TinyGgufOptions } from './tiny-gguf.ts'
export { ggufImage, type GgufImage, type GgufTensor, type GgufValue } from './gguf-image.ts'
export {
  type GgufHeader,
  type HeaderValue,
  type JsonObject,
  type SafetensorsHeader,
  type TensorSums,
} from './raw-header.ts'
export { writeGgufImage } from './write-gguf-image.ts'
