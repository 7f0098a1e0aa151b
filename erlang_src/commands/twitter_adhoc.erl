%%% @doc Ad-hoc commands (XEP-0050): those of the service, and those of the rows of the tree, whose node is
%%% the row's. What a command does step by step is decided in the core (`native/core/src/dialog.rs'); {@link
%%% twitter_form} and {@link twitter_table} draw what is shown, {@link twitter_effect} does what was asked for.
%%%
%%% Whether somebody may execute a command is asked at every step; if not, there is no such command for him.
-module(twitter_adhoc).

-include_lib("xmpp/include/xmpp.hrl").
-include_lib("ejabberd/include/translate.hrl").

-export([is_command/1, is_executable/1, list/1, info/2, rows/2, execute/3, has_known_action/1]).
-export_type([row/0]).

-type row() :: twitter_view:view() | none.
%% What the row of a command shows; a command of the service has none.

%% @doc Whether this is the node of a command of the service.
-spec is_command(Id :: binary()) -> boolean().
is_command(Id) -> twitter_nif:is_command(Id).

%% @doc Whether the reader of this row can execute its command.
-spec is_executable(twitter_view:view()) -> boolean().
is_executable(#{node := Node, reader := Reader}) ->
    twitter_nif:begin_command(twitter_path:id(Node), rights(Reader)) =/= none.

%% @doc The commands of the service that the reader can execute.
-spec list(twitter_reader:reader()) -> [#disco_item{}].
list(#{service := #{host := Host}, lang := Lang} = Reader) ->
    [#disco_item{jid = jid:make(Host), node = Id, name = translate:translate(Lang, name(Command))}
     || {Id, Command} <- twitter_nif:commands(rights(Reader))].

%% @doc What a command of the service is.
-spec info(twitter_reader:reader(), Id :: binary()) -> #disco_info{}.
info(#{lang := Lang} = Reader, Id) ->
    Name = translate:translate(Lang, name(command(Reader, Id))),
    #disco_info{identities = [#identity{category = <<"automation">>, type = <<"command-node">>, name = Name}],
                features = [?NS_COMMANDS, ?NS_XDATA]}.

%% @doc There is nothing below a command.
-spec rows(twitter_reader:reader(), Id :: binary()) -> #disco_items{}.
rows(Reader, Id) ->
    _ = command(Reader, Id),
    #disco_items{}.

command(#{lang := Lang} = Reader, Id) ->
    case lists:keyfind(Id, 1, twitter_nif:commands(rights(Reader))) of
        {Id, Command} -> Command;
        false -> twitter_error:refuse(not_found, Lang)
    end.

name(post) -> ?T("Post a message");
name(edit) -> ?T("Edit or delete a post");
name(latest) -> ?T("Show the latest posts");
name(missed) -> ?T("What I missed");
name(mute) -> ?T("Mute a friend");
name(settings) -> ?T("Settings").

-spec rights(twitter_reader:reader()) -> twitter_nif:rights().
rights(Reader) ->
    HasStream = twitter_reader:has_stream(Reader),
    {HasStream, HasStream andalso twitter_permit:may_post(Reader),
     HasStream andalso twitter_settings:are_available(Reader)}.

%% @doc Whether the action of a raw request is one of XEP-0050; the decoder takes no other.
-spec has_known_action(xmlel()) -> boolean().
has_known_action(El) ->
    lists:member(fxml:get_tag_attr_s(<<"action">>, El),
                 [<<>>, <<"execute">>, <<"cancel">>, <<"prev">>, <<"next">>, <<"complete">>]).

%%% Executing

%% @doc Answers one request of a dialog. The first one opens it; a form that comes with it is of no use.
-spec execute(twitter_reader:reader(), row(), adhoc_command()) -> adhoc_command().
execute(#{lang := Lang} = Reader, Row, #adhoc_command{node = Id, sid = Sid, action = Action} = Request) ->
    Answer = case {twitter_nif:begin_command(Id, rights(Reader)), Sid} of
                 {none, _} -> twitter_error:refuse(not_found, Lang);
                 {_, <<>>} when Action =/= execute -> twitter_error:refuse(bad_action, Lang);
                 {Start, <<>>} -> begin_with(Reader, Row, Id, Start);
                 {_, _} -> continue(Reader, Row, Request)
             end,
    Answer#adhoc_command{node = Id, lang = Lang}.

begin_with(Reader, _Row, _Id, table) ->
    {_, _, Table} = twitter_table:latest(Reader, first_page),
    completed([], Table);
begin_with(Reader, Row, Id, {stage, Stage}) ->
    case draw(Reader, Row, Stage) of
        {executing, Shown, Form} ->
            Sid = new_sid(),
            ok = twitter_nif:dialog_open(dialogs(Reader), Sid, owner(Reader), Id, Shown, now_micros()),
            executing(Sid, Shown, Form);
        {completed, Notes, Table} ->
            completed(lists:map(fun note/1, Notes), Table)
    end.

continue(#{lang := Lang} = Reader, Row, #adhoc_command{node = Id, sid = Sid, action = Action, xdata = Form}) ->
    case step(Reader, Id, Sid, {Action, form(Form)}) of
        {error, Reason} -> twitter_error:refuse(Reason, Lang);
        {ok, {Stage, Step}} -> take(Reader, Row, {Id, Sid}, Stage, Step)
    end.

take(_Reader, _Row, {_Id, Sid}, _Stage, canceled) ->
    #adhoc_command{sid = Sid, status = canceled};
take(Reader, _Row, {_Id, Sid}, Stage, {act, Effects}) ->
    Notes = carry_out(Reader, Sid, Stage, Effects),
    (completed(Notes, undefined))#adhoc_command{sid = Sid};
take(Reader, Row, {Id, Sid}, _Stage, Step) ->
    case turn(Reader, Row, Step) of
        {executing, Shown, Form} ->
            show(Reader, Sid, Shown),
            executing(Sid, Shown, Form);
        {completed, Notes, Table} ->
            %% There is nothing to answer any more.
            _ = step(Reader, Id, Sid, {cancel, none}),
            (completed(lists:map(fun note/1, Notes), Table))#adhoc_command{sid = Sid}
    end.

turn(Reader, Row, {show, Stage}) -> draw(Reader, Row, Stage);
turn(Reader, _Row, Anchor) -> page(twitter_table:latest(Reader, Anchor)).

draw(Reader, _Row, {latest, _}) -> page(twitter_table:latest(Reader, first_page));
draw(#{lang := Lang} = Reader, _Row, missed) ->
    case twitter_table:missed(Reader) of
        {Table, true} -> {executing, missed, Table};
        {Table, false} -> {completed, [], Table};
        none -> {completed, [translate:translate(Lang, ?T("You have read everything."))], undefined}
    end;
draw(Reader, Row, Stage) -> twitter_form:draw(Reader, Row, Stage).

%% Who has seen everything has nothing to answer.
page({_Ends, {false, false}, Table}) ->
    {completed, [], Table};
page({{First, Last}, {Prev, Next}, Table}) ->
    {executing, {latest, {First, Last, Prev, Next}}, Table}.

%% What is refused before it changed anything can be sent once more. After that an error would be sent once
%% more, too, and with it what is done already: so there is a warning instead.
carry_out(_Reader, _Sid, _Stage, []) ->
    [];
carry_out(Reader, Sid, Stage, [First | Others]) ->
    Done = try twitter_effect:carry_out(Reader, First) catch
               throw:{refused, Error} ->
                   show(Reader, Sid, Stage),
                   throw({refused, Error})
           end,
    [note(Done) | [carry_on(Reader, Effect) || Effect <- Others]].

carry_on(#{lang := Lang} = Reader, Effect) ->
    try
        note(twitter_effect:carry_out(Reader, Effect))
    catch
        throw:{refused, Error} ->
            #stanza_error{text = Text} = twitter_error:with_text(Error, Lang),
            #adhoc_note{type = warn, data = xmpp:get_text(Text, Lang)}
    end.

step(Reader, Id, Sid, Answer) ->
    twitter_nif:dialog_step(dialogs(Reader), Sid, owner(Reader), Id, Answer, now_micros()).

show(Reader, Sid, Stage) ->
    twitter_nif:dialog_show(dialogs(Reader), Sid, owner(Reader), Stage, now_micros()).

dialogs(#{service := #{dialogs := Dialogs}}) -> Dialogs.

%% A dialog belongs to one session.
owner(#{name := Name, from := #jid{lresource = Resource}}) -> {Name, Resource}.

new_sid() -> binary:encode_hex(crypto:strong_rand_bytes(16)).

now_micros() -> erlang:system_time(microsecond).

-spec form(undefined | xdata()) -> twitter_nif:form().
form(undefined) -> none;
form(#xdata{type = submit, fields = Fields}) ->
    {submitted, [{Var, Values} || #xdata_field{var = Var, values = Values} <- Fields]};
form(#xdata{type = cancel}) -> canceled;
form(#xdata{}) -> unfit.

%%% Answers

executing(Sid, Stage, Form) ->
    {_Fields, Actions} = twitter_nif:stage_form(Stage),
    #adhoc_command{sid = Sid, status = executing, actions = actions(Actions), xdata = Form}.

actions(none) ->
    undefined;
actions({some, {Default, Allowed}}) ->
    #adhoc_actions{execute = Default, prev = lists:member(prev, Allowed), next = lists:member(next, Allowed),
                   complete = lists:member(complete, Allowed)}.

completed(Notes, Table) ->
    #adhoc_command{status = completed, notes = Notes, xdata = Table}.

note(Text) ->
    #adhoc_note{data = Text}.
