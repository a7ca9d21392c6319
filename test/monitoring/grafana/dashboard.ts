// What a dashboard of this project is, in Grafana's own types. The types of panels
// that are in use, with their options and the settings of their fields, take the
// place of Grafana's panel, whose options are left open there.
import type * as raw from '@grafana/schema/dist/esm/raw/dashboard/x/Dashboard_types.gen';
import type * as stat from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type * as table from '@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen';
import type * as timeline from '@grafana/schema/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen';
import type * as series from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';

/** A query of the data source prometheus. */
interface Target {
  refId: string;
  datasource: raw.DataSourceRef;
  expr: string;
  legendFormat?: string;
  editorMode?: 'code' | 'builder';
  format?: 'time_series' | 'table' | 'heatmap';
  instant?: boolean;
  range?: boolean;
  exemplar?: boolean;
  interval?: string;
}

/** A link of a field to another page. */
interface DataLink {
  title: string;
  url: string;
  targetBlank?: boolean;
}

type Field<Custom> = Omit<raw.FieldConfig, 'custom' | 'links'> & { custom?: Custom; links?: DataLink[] };

type Of<Type extends string, Options, Custom> = Omit<raw.Panel, 'type' | 'options' | 'fieldConfig' | 'targets'> & {
  type: Type;
  options: Options;
  targets: Target[];
  fieldConfig: Omit<raw.FieldConfigSource, 'defaults'> & { defaults: Field<Custom> };
};

type Panel =
  | Of<'stat', stat.Options, Record<string, never>>
  | Of<'table', table.Options, Partial<table.FieldConfig>>
  | Of<'state-timeline', timeline.Options, timeline.FieldConfig>
  | Of<'timeseries', series.Options, series.FieldConfig>;

type Row = Omit<raw.RowPanel, 'panels'> & { panels: Panel[] };

/** A dashboard of this project. */
export type Dashboard = Omit<raw.Dashboard, 'panels'> & { panels: Array<Panel | Row> };
