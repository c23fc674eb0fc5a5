import QtQuick 2.15
import "../controls"
import ".."

// Below the values: networks, pictures it was made from, what nothing here is for, what could not be read.
Column {
    id: rest
    spacing: 2
    topPadding: Theme.u2
    bottomPadding: Theme.u3
    component Heading: Label {
        height: Theme.px(30)
        verticalAlignment: Text.AlignBottom
        bottomPadding: Theme.u1
        leftPadding: Theme.u2
        color: Theme.soft
        font.pixelSize: Theme.small
        font.weight: Font.DemiBold
    }
    component Line: Label {
        width: rest.width
        leftPadding: Theme.u2
        topPadding: 3
        bottomPadding: 3
        wrapMode: Text.Wrap
    }
    Button {
        visible: studio.importer.rows.same > 0
        quiet: true
        x: 0
        glyph: studio.importer.rows.withSame ? "eye-off" : "eye"
        text: studio.importer.rows.withSame ? qsTr("Hide what is the same") : qsTr("%1 more are the same as now").arg(studio.importer.rows.same)
        onClicked: studio.importer.rows.withSame = !studio.importer.rows.withSame
    }
    Heading { visible: studio.importer.networks.length > 0; text: qsTr("Networks in the prompts") }
    Repeater {
        model: studio.importer.networks
        delegate: Line {
            text: modelData.name + (modelData.note ? "  ·  " + modelData.note : "")
            color: modelData.here ? Theme.text : Theme.warning
        }
    }
    Heading { visible: studio.importer.inputs.length > 0; text: qsTr("Made from") }
    Repeater {
        model: studio.importer.inputs
        delegate: Line { text: modelData }
    }
    Line {
        visible: studio.importer.inputs.length > 0
        text: qsTr("These pictures are not in the file; add them to the inputs by hand.")
        color: Theme.soft
        font.pixelSize: Theme.small
    }
    Item {
        visible: studio.importer.unknown.length > 0
        width: rest.width
        height: visible ? Theme.control + Theme.u2 : 0
        Heading { anchors.bottom: parent.bottom; text: qsTr("Not understood, and kept") }
        Button {
            anchors.right: parent.right
            anchors.bottom: parent.bottom
            quiet: true
            glyph: "copy"
            text: qsTr("Copy")
            hint: qsTr("Copy what was not understood as text")
            onClicked: studio.importer.copyUnknown()
        }
    }
    Repeater {
        model: studio.importer.unknown
        delegate: Line {
            text: modelData.key + ": " + modelData.value
            color: Theme.soft
            maximumLineCount: 3
        }
    }
    Heading { visible: studio.importer.warnings.length > 0; text: qsTr("Left out") }
    Repeater {
        model: studio.importer.warnings
        delegate: Line { text: modelData; color: Theme.warning }
    }
}
