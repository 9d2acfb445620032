/** What stands in the tabs of somebody who is here for the first time: each works as it is. */
export const firstTabs = [
  {
    query: `# What can be drawn with, and what was drawn last.
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
    query: `# Queues a picture, and answers at once.
# The next tab shows how it forms: start that first.
mutation Draw($prompt: String!) {
  generate(input: { settings: { prompt: $prompt } }) {
    generation {
      id
      status
      queuePosition
      eventCursor
    }
  }
}
`,
    variables: JSON.stringify({ prompt: 'a red boat on the sea at sunset' }, null, 2),
  },
  {
    query: `# Everything that happens to what is yours, live, with previews as the picture forms.
# Start it, then run "Draw".
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
