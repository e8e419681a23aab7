"""A PyTorch DataLoader with worker processes, for a batch in run()."""

import json

import torch
from torch.utils.data import DataLoader, Dataset


class Rows(Dataset):
    def __init__(self, rows):
        self.rows = rows

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        return torch.tensor(self.rows[index])


def init():
    global model
    model = torch.nn.Linear(2, 1, bias=False)
    with torch.no_grad():
        model.weight.fill_(1.0)
        model(torch.zeros(1, 2))  # a warm-up, so that torch's threads exist before processes are forked


def run(data):
    asked = json.loads(data)
    loader = DataLoader(Rows(asked["rows"]), batch_size=2, num_workers=asked["workers"])
    with torch.no_grad():
        return [round(float(y), 3) for batch in loader for y in model(batch).squeeze(1)]
