import QtQuick 2.15

// Dragging leaves with the file of a picture, to another program or to another part of the window.
Item {
    id: out
    property string address
    Drag.active: handler.active
    Drag.dragType: Drag.Automatic
    Drag.supportedActions: Qt.CopyAction
    Drag.proposedAction: Qt.CopyAction
    Drag.source: out
    Drag.mimeData: ({ "text/uri-list": address + "\r\n" })
    DragHandler { id: handler; enabled: out.address !== ""; target: null; dragThreshold: 8 }
}
