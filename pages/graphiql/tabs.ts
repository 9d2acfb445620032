/** The tabs of a first visit. Each document runs as it stands. */
export const firstTabs = [
  {
    query: `# The installed models, and the latest images.
query Look {
  models {
    name
    title
    defaults {
      width
      height
      steps
    }
  }
  viewer {
    defaultProject {
      name
      assets(first: 3) {
        totalCount
        nodes {
          seed
          url(width: 512)
        }
      }
    }
  }
}
`,
  },
  {
    query: `# Queues four images, and answers at once.
# Then run "Watch", in the next tab, to see them form.
mutation Draw($settings: SettingsInput!) {
  generate(input: { settings: $settings }) {
    generation {
      id
      status
      queuePosition
      eventCursor
    }
  }
}
`,
    variables: JSON.stringify(
      { settings: { prompt: 'a red boat on the sea at sunset', count: 4 } },
      null,
      2,
    ),
  },
  {
    query: `# Every event of your generations, live, with previews of the images as they form.
# Run "Draw" first, or anything else that generates: this page runs one operation at a time, and
# changing the tab stops a subscription. The first event says how far a generation has come by now.
subscription Watch {
  viewerEvents(preview: { everyMs: 500 }) {
    __typename
    cursor
    at
    ... on GenerationEvent {
      generation {
        id
        status
        progress
      }
    }
    ... on GenerationProgress {
      stage
      step
      steps
      previews {
        index
        step
        dataUrl
      }
    }
    ... on GenerationImageReady {
      image {
        url
      }
    }
    ... on GenerationFailed {
      failure {
        code
        message
      }
    }
  }
}
`,
  },
];
