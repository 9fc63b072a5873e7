import { assert } from '@berth/kernel'
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { createBound, type LabelValues } from './bounded-labels.ts'
import { addProcessSeries } from './process-series.ts'
import {
  SERIES,
  type LabelsOf,
  type SeriesName,
  type SeriesOf,
  type SeriesOwner,
  type SeriesSpec,
} from './series-registry.ts'

/** Counts what happens. A value beyond the budget of its label counts as `other`. */
export interface CounterSeries<N extends SeriesName> {
  inc(labels: LabelsOf<N>, by?: number): void
}

/** A number that goes up and down, without labels. */
export interface GaugeSeries {
  set(value: number): void
  inc(): void
  dec(): void
}

/** Observes values, which fall into buckets. */
export interface HistogramSeries<N extends SeriesName> {
  observe(labels: LabelsOf<N>, value: number): void
}

/** Called at each scrape; what it does not show is absent. It must change nothing. */
export type ReadSeries<N extends SeriesName> = (
  show: (labels: LabelsOf<N>, value: number) => void,
) => void

/** The series of one process: those of the registry that are its own, each created once. */
export interface Metrics extends Disposable {
  readonly contentType: string
  counter<N extends SeriesOf<'counter'>>(name: N): CounterSeries<N>
  gauge(name: SeriesOf<'gauge'>): GaugeSeries
  histogram<N extends SeriesOf<'histogram'>>(name: N): HistogramSeries<N>
  /** A series that is read from the state when somebody scrapes. */
  read<N extends SeriesOf<'gauge' | 'counter'>>(name: N, read: ReadSeries<N>): void
  /** All series in the Prometheus text format. */
  text(): Promise<string>
}

/**
 * The series of a service, with those every process shows: memory, CPU, event-loop delay and open
 * handles. Throws for a series that is not in the registry or not this service's. prom-client's
 * default collectors stay off: they walk /proc and hook the garbage collector on each scrape.
 */
export const createMetrics = (service: SeriesOwner): Metrics => {
  const registry = new Registry()
  const registers = [registry]
  const configOf = (name: SeriesName, type?: SeriesSpec['type']) => {
    const spec: SeriesSpec | undefined = Object.hasOwn(SERIES, name) ? SERIES[name] : undefined
    assert(spec !== undefined, `series ${name} is in the registry`)
    assert(type === undefined || spec.type === type, `series ${name} is a ${spec.type}`)
    assert(spec.owner === service || spec.owner === 'every', `series ${name} is of ${spec.owner}`)
    return { spec, name, help: spec.help, labelNames: spec.labels, registers }
  }
  const metrics: Omit<Metrics, typeof Symbol.dispose> = {
    contentType: registry.contentType,
    counter: (name) => {
      const { spec, ...config } = configOf(name, 'counter')
      const counter = new Counter(config)
      const bound = createBound(spec)
      return { inc: (labels, by = 1) => counter.inc(bound(labels), by) }
    },
    gauge: (name) => {
      const { spec, ...config } = configOf(name, 'gauge')
      assert(spec.labels.length === 0, `series ${name} has no labels`)
      const gauge = new Gauge(config)
      return { set: (value) => gauge.set(value), inc: () => gauge.inc(), dec: () => gauge.dec() }
    },
    histogram: (name) => {
      const { spec, ...config } = configOf(name, 'histogram')
      const buckets = [...(spec.buckets ?? [])]
      const histogram = new Histogram({ ...config, buckets })
      const bound = createBound(spec)
      return { observe: (labels, value) => histogram.observe(bound(labels), value) }
    },
    read: (name, read) => {
      const { spec, ...config } = configOf(name)
      const collect = (series: Counter | Gauge) => {
        series.reset()
        const bound = createBound(spec)
        read((labels: LabelValues, value: number) => {
          const bounded = bound(labels)
          const isFolded = spec.labels.some(
            (label) => labels[label] && bounded[label] !== labels[label],
          )
          // Ratios and bytes of different things cannot be one value: left out rather than wrong.
          if (!isFolded || spec.isAdditive) series.inc(bounded, value)
        })
      }
      if (spec.type === 'counter') {
        const counter: Counter = new Counter({ ...config, collect: () => collect(counter) })
      } else {
        const gauge: Gauge = new Gauge({ ...config, collect: () => collect(gauge) })
      }
    },
    text: () => registry.metrics(),
  }
  const process = addProcessSeries(metrics.read)
  return {
    ...metrics,
    [Symbol.dispose]: () => {
      process[Symbol.dispose]()
      registry.clear()
    },
  }
}
