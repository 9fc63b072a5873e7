export { tinyGguf, type TinyGgufOptions } from './tiny-gguf.ts'
export { type GgufImage } from './gguf-image.ts'
export { writeGgufImage } from './write-gguf-image.ts'
