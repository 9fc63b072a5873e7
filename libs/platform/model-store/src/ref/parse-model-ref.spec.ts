import { describe, expect, it } from '@jest/globals'
import { parseModelRef } from './parse-model-ref.ts'

describe('a model reference', () => {
  it.each([
    ['hf:Qwen/Qwen3-8B', 'hf:Qwen/Qwen3-8B@main'],
    ['hf:org.unit/na_me.v1@refs/pr/3', 'hf:org.unit/na_me.v1@refs/pr/3'],
    ['hf:a/b:Q4_K_M', 'hf:a/b@main:Q4_K_M'],
    ['hf:a/b@v1.0:folder/x-*.gguf', 'hf:a/b@v1.0:folder/x-*.gguf'],
    [`hf:a/${'n'.repeat(96)}`, `hf:a/${'n'.repeat(96)}@main`],
    ['file:models//a b.gguf', 'file:models/a b.gguf'],
    ['file:///srv/models/x/', 'file:/srv/models/x'],
    ['https://example.org/a/model.gguf?x=1', 'https://example.org/a/model.gguf?x=1'],
    ['ollama:qwen3', 'ollama:registry.ollama.ai/library/qwen3:latest'],
    ['ollama:me/own:8b-q4_K_M', 'ollama:registry.ollama.ai/me/own:8b-q4_K_M'],
    ['ollama:hub.local:5000/me/own:1', 'ollama:hub.local:5000/me/own:1'],
    ['oci:ghcr.io/acme/models/llama:v1', 'oci:ghcr.io/acme/models/llama:v1'],
    ['oci:127.0.0.1:5000/llama', 'oci:127.0.0.1:5000/llama:latest'],
    [`oci:h.io/a:v1@sha256:${'0'.repeat(64)}`, `oci:h.io/a@sha256:${'0'.repeat(64)}`],
  ])('%s reads as %s', (ref, canonical) => {
    expect(parseModelRef(ref).canonical).toBe(canonical)
  })

  it.each([
    ['', 'is empty'],
    ['--help', 'begins with "-"'],
    ['Qwen/Qwen3-8B', 'has no scheme'],
    ['s3:bucket/x', 'unknown scheme "s3:"'],
    [`hf:a/${'n'.repeat(2000)}`, 'more than 1024'],
    ['hf:a/b\u0000', 'control or invisible'],
    ['hf:a/b\n', 'control or invisible'],
    ['file:a\u202egguf.exe', 'control or invisible'],
    ['hf:a/\ud800', 'control or invisible'],
    ['file:', 'names no path'],
    ['file:../../etc/shadow', '".."'],
    ['file:a\\..\\b', '".."'],
    ['file:--help', 'begins its path'],
    ['https://', 'is no valid address'],
    ['https:///x', 'is no valid address'],
    ['https://u:p@h/x', 'user or password'],
    ['https://h/x#y', 'fragment'],
    ['https://h/', 'names no file'],
    ['https://h/..', 'names no file'],
    ['ollama:a/b/c/d', 'too many parts'],
    ['ollama:a:b:c', 'too many parts'],
    ['ollama:-a', 'a part that is not'],
    ['ollama:..', 'a part that is not'],
    ['oci:/x', 'names no registry host'],
    ['oci:h.io/UPPER', 'has a repository'],
    ['oci:h.io/../x', 'has a repository'],
    ['oci:h.io/a:-t', 'has a tag'],
    ['oci:h.io/a@sha256:12', 'has a digest'],
    ['oci:h.io/a@sha512:12', 'has a digest'],
  ])('refuses %j: %s', (ref, fact) => {
    expect(() => parseModelRef(ref)).toThrow(
      expect.objectContaining({ reason: 'INVALID_PARAMS', message: expect.stringContaining(fact) }),
    )
  })

  it.each([
    ['hf:gpt2', 'ORG/NAME'],
    ['hf:a/b/c', 'ORG/NAME'],
    ['hf:/b', 'characters other than'],
    ['hf:-a/b', 'begins or ends'],
    ['hf:a/-b', 'begins or ends'],
    ['hf:a/b-', 'begins or ends'],
    ['hf:a/.b', 'begins or ends'],
    ['hf:a/b--c', '"--" or ".."'],
    ['hf:a../b', 'begins or ends'],
    ['hf:a/b..c', '"--" or ".."'],
    ['hf:a/b.git', '".git"'],
    ['hf:a/b c', 'characters other than'],
    [`hf:a/${'n'.repeat(97)}`, 'longer than 96'],
    [`hf:${'o'.repeat(97)}/a`, 'longer than 96'],
    ['hf:a/b@', 'revision'],
    ['hf:a/b@-x', 'revision'],
    ['hf:a/b@a..b', 'revision'],
    ['hf:a/b@../x', 'revision'],
    ['hf:a/b:', 'names no file'],
    ['hf:a/b:../x.gguf', 'outside its repository'],
    ['hf:a/b:/etc/x', 'outside its repository'],
    ['hf:a/b:x/../../y', 'outside its repository'],
    ['hf:a/b:--x', 'outside its repository'],
  ])('[003-FR-026] refuses %j before an engine sees it: %s', (ref, fact) => {
    expect(() => parseModelRef(ref)).toThrow(
      expect.objectContaining({ reason: 'INVALID_PARAMS', message: expect.stringContaining(fact) }),
    )
  })

  it('names the next step, and shows nothing that a terminal would obey', () => {
    const refusal = (() => {
      try {
        return parseModelRef('hf:a/b\u001b[2J')
      } catch (error) {
        return (error as Error).message
      }
    })()
    expect(refusal).toContain('Write it in plain text.')
    expect(refusal).not.toMatch(/\p{Cc}/u)
  })
})
