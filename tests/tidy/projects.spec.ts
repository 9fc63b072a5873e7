import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { workspacePackages } from './src/packages.ts'
import { root } from './src/project-files.ts'

const packages = workspacePackages()
const LAYERS = [
  'layer:kernel',
  'layer:domain',
  'layer:engines',
  'layer:contract',
  'layer:platform',
  'layer:service',
  'layer:app',
  'layer:testing',
]
const SCOPES = [
  'scope:shared',
  'scope:core',
  'scope:agent',
  'scope:gateway',
  'scope:cli',
  'scope:engine',
  'scope:sim',
]

const FOLDER_OF_LAYER: Readonly<Record<string, RegExp>> = {
  'layer:kernel': /^libs\/domain\/kernel$/,
  'layer:domain': /^libs\/domain\//,
  'layer:engines': /^libs\/engines\//,
  'layer:contract': /^libs\/platform\/contract$/,
  'layer:platform': /^libs\/platform\//,
  'layer:service': /^libs\/services\//,
  'layer:app': /^apps\//,
  'layer:testing': /^(libs\/sim|tests\/|bench)/,
}

describe('projects', () => {
  it('carry exactly one layer and one scope, and stand in the folder of their layer', () => {
    const wrong = packages.filter(({ tags, folder }) => {
      const layers = tags.filter((tag) => LAYERS.includes(tag))
      const scopes = tags.filter((tag) => SCOPES.includes(tag))
      const isWhole = layers.length === 1 && scopes.length === 1 && tags.length === 2
      return !isWhole || !FOLDER_OF_LAYER[layers[0] ?? '']?.test(folder)
    })
    expect(wrong).toEqual([])
    expect(packages.length).toBeGreaterThan(15)
  })

  it('[000-N-6] are apps, libs and tests of one workspace, three of them services with an image', () => {
    const { workspaces } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    expect(workspaces).toEqual(expect.arrayContaining(['apps/*', 'libs/domain/*', 'tests/*']))
    const apps = packages.filter(({ tags }) => tags.includes('layer:app'))
    const services = apps.filter(({ folder }) => existsSync(join(root, folder, 'Dockerfile')))
    expect(services.map(({ folder }) => folder).sort()).toEqual([
      'apps/orchestrator-core',
      'apps/orchestratord',
      'apps/pool-managerd',
    ])
    const mains = apps.map(({ folder }) => join(root, folder, 'src/main.ts'))
    expect(mains.filter((path) => !existsSync(path))).toEqual([])
  })

  it('export files that exist', () => {
    const missing = packages.flatMap((each) => each.exportedPaths)
    expect(missing.filter((path) => !existsSync(join(root, path)))).toEqual([])
  })

  it('are named after their folder', () => {
    const names = packages.filter(({ folder }) => folder.startsWith('libs/'))
    const wrong = names.filter(({ folder, name }) => name !== `@berth/${folder.split('/').at(-1)}`)
    expect(wrong).toEqual([])
  })

  it('have a README when they are libs', () => {
    const libs = packages.map(({ folder }) => folder).filter((path) => path.startsWith('libs/'))
    expect(libs.filter((path) => !existsSync(join(root, path, 'README.md')))).toEqual([])
  })
})
