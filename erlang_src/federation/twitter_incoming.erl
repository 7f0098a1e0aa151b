%%% @doc What one other server tells of its authors, one after the other: here it is read, and believed or not.
%%% What is believed goes to {@link twitter_heard}.
%%%
%%% There is a process for each sender, so that one that floods us, or whose name servers do not answer, keeps
%%% nobody else waiting. It ends when nothing has come for a while.
-module(twitter_incoming).
-behaviour(gen_server).

-include_lib("ejabberd/include/logger.hrl").
-include_lib("xmpp/include/xmpp.hrl").

-export([start_link/2]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

-define(IDLE_MS, 30_000).
%% Of an audience: the readers in one stanza, those in all, and the lists of which not all stanzas have come.
-define(MAX_PART, 500).
-define(MAX_PARTS, 1_000).
-define(MAX_UNFINISHED, 10).
%% The entries of one message.
-define(MAX_ENTRIES, 1_000).

-type unfinished() :: #{twitter_nif:jid() => {Digest :: binary(), Parts :: pos_integer(), Next :: pos_integer(),
                                              [[twitter_nif:jid()]]}}.
%% Of some authors, the audience as far as it has come.
-record(state, {server_host :: binary(), sender :: binary(), inbox :: pid(), done = 0 :: non_neg_integer(),
                audiences = #{} :: unfinished()}).

-spec start_link(ServerHost :: binary(), Sender :: binary()) -> {ok, pid()} | {error, term()}.
start_link(ServerHost, Sender) ->
    gen_server:start_link(?MODULE, {ServerHost, Sender, self()}, []).

%% @private
-spec init({binary(), binary(), pid()}) -> {ok, #state{}}.
init({ServerHost, Sender, Inbox}) ->
    {ok, #state{server_host = ServerHost, sender = Sender, inbox = Inbox}}.

%% @private
-spec handle_call(sync | term(), gen_server:from(), #state{}) -> {reply, term(), #state{}, timeout()}.
handle_call(sync, _From, State) ->
    {reply, ok, State, ?IDLE_MS};
handle_call(_Request, _From, State) ->
    {reply, {error, unknown_request}, State, ?IDLE_MS}.

%% @private
-spec handle_cast(term(), #state{}) -> {noreply, #state{}, timeout()}.
handle_cast(_Message, State) ->
    {noreply, State, ?IDLE_MS}.

%% @private
-spec handle_info(term(), #state{}) -> {noreply, #state{}, timeout()} | {stop, normal, #state{}}.
handle_info({event, Event, Bytes}, #state{server_host = ServerHost, sender = Sender, done = Done} = State) ->
    Next = handled(Event, State),
    ok = twitter_inbox:done(ServerHost, Sender, Bytes),
    {noreply, Next#state{done = Done + 1}, ?IDLE_MS};
handle_info(timeout, #state{sender = Sender, inbox = Inbox, done = Done} = State) ->
    Inbox ! {idle, Sender, self(), Done},
    {noreply, State, ?IDLE_MS};
handle_info(stop, State) ->
    {stop, normal, State};
handle_info(_Message, State) ->
    {noreply, State, ?IDLE_MS}.

%% What fails here must not cost what waits.
handled(Event, #state{sender = Sender} = State) ->
    try
        event(Event, State)
    catch
        throw:{refused, Error} ->
            failed(Event, State, xmpp:format_stanza_error(Error));
        exit:{aborted, Reason} ->
            failed(Event, State, io_lib:format("~0tp", [Reason]));
        %% The plugin stops, or the writer was killed.
        exit:{Reason, {gen_server, call, _}} ->
            failed(Event, State, io_lib:format("~0tp", [Reason]));
        Class:Reason:Stacktrace ->
            ?ERROR_MSG("What ~ts told could not be recorded:~n** ~ts",
                       [Sender, misc:format_exception(2, Class, Reason, Stacktrace)]),
            answer_failed(Event, State)
    end.

failed(Event, #state{sender = Sender} = State, Reason) ->
    ?WARNING_MSG("What ~ts told could not be recorded: ~ts", [Sender, Reason]),
    answer_failed(Event, State).

answer_failed({request, _Host, IQ}, State) ->
    answer(IQ, {error, xmpp:err_internal_server_error()}, State);
answer_failed({message, _Message}, State) ->
    State.

event({message, Message}, #state{server_host = ServerHost} = State) ->
    case twitter_service:all(ServerHost) of
        %% The first is the one of which people know.
        [Service | _] ->
            case message(Service, Message) of
                ok -> State;
                refused -> refused(State)
            end;
        [] ->
            refused(State)
    end;
event({request, Host, #iq{from = From, sub_els = [#xmlel{} = El]} = IQ}, State) ->
    case {twitter_service:find(Host), From, twitter_relay:decode(El)} of
        {error, _, _} ->
            answer(IQ, {error, xmpp:err_service_unavailable()}, State);
        {{ok, Service}, #jid{luser = <<>>, lresource = <<>>}, {What, Told}} ->
            request(What, Told, Service, IQ, State);
        _ ->
            answer(IQ, {error, xmpp:err_bad_request()}, refused(State))
    end;
event({request, _Host, IQ}, State) ->
    answer(IQ, {error, xmpp:err_bad_request()}, refused(State)).

refused(#state{server_host = ServerHost, sender = Sender} = State) ->
    ok = twitter_inbox:refuse(ServerHost, Sender, 1),
    State.

counted(ServerHost, Count) ->
    case twitter_flow:find(ServerHost) of
        {ok, Flow} -> twitter_flow:count(Flow, heard, Count);
        error -> ok
    end.

answer(IQ, {result, Els}, State) ->
    ejabberd_router:route((xmpp:make_iq_result(IQ))#iq{sub_els = Els}),
    State;
answer(IQ, {error, Error}, State) ->
    ejabberd_router:route(xmpp:make_error(IQ#iq{sub_els = []}, Error)),
    State.

%%% For one reader

message(Service, #message{from = #jid{luser = <<>>, lresource = <<>>, lserver = Sender}, to = To} = Message) ->
    #{host := Host, server_host := ServerHost} = Service,
    Stamp = twitter_relay:stamp_of(Message),
    case Stamp =/= malformed andalso told(Message, Stamp) of
        {Author, Changes} ->
            Reader = jid:remove_resource(To),
            case twitter_trust:take(Service, Sender, length(Changes))
                andalso twitter_trust:is_reader(Reader, Author)
                andalso twitter_trust:check(ServerHost, Changes) =:= Changes
                andalso twitter_trust:may_speak_for(Host, Sender, Author) of
                true ->
                    ok = twitter_heard:single(Service, Author,
                                              #{from => Sender, reader => jid:encode(jid:tolower(Reader)),
                                                changes => Changes, sent => sent(Stamp)}),
                    counted(ServerHost, length(Changes));
                _ ->
                    refused
            end;
        _ ->
            refused
    end;
message(_Service, _Message) ->
    refused.

sent(#{sent := Sent}) -> Sent;
sent(none) -> none.

%% What an event says, if it is about one author and no other.
told(#message{sub_els = Els}, Stamp) ->
    case [Event || #xmlel{name = <<"event">>} = Event <- Els,
                   fxml:get_tag_attr_s(<<"xmlns">>, Event) =:= ?NS_PUBSUB_EVENT] of
        [#xmlel{children = Children}] ->
            case [Child || #xmlel{} = Child <- Children] of
                [#xmlel{name = <<"items">>, children = Entries} = Items] ->
                    fxml:get_tag_attr_s(<<"node">>, Items) =:= twitter_path:id({stream, friends})
                        andalso entries([Entry || #xmlel{} = Entry <- Entries], Stamp);
                _ ->
                    false
            end;
        _ ->
            false
    end.

entries([_ | _] = Entries, Stamp) when length(Entries) =< ?MAX_ENTRIES ->
    Authors = lists:usort([twitter_trust:author(fxml:get_tag_attr_s(<<"publisher">>, Entry)) || Entry <- Entries]),
    Changes = [entry(Entry, Stamp) || Entry <- Entries],
    case {Authors, lists:member(malformed, Changes)} of
        {[{ok, Author}], false} -> {Author, Changes};
        _ -> false
    end;
entries(_Entries, _Stamp) ->
    false.

entry(#xmlel{name = <<"item">>, children = Els} = Item, Stamp) ->
    Id = fxml:get_tag_attr_s(<<"id">>, Item),
    case Stamp of
        #{published := Published, version := Version} ->
            {item, Id, Published, Version, twitter_post:payload(Els)};
        none ->
            {item, Id, none, none, twitter_post:payload(Els)};
        #{} ->
            malformed
    end;
entry(#xmlel{name = <<"retract">>} = Retract, Stamp) ->
    Version = case Stamp of
                  #{version := Stamped} -> Stamped;
                  none -> none
              end,
    {retract, fxml:get_tag_attr_s(<<"id">>, Retract), Version};
entry(_Other, _Stamp) ->
    malformed.

%%% For the whole server

request(What, #{author := Author} = Told, #{host := Host} = Service, #iq{from = #jid{lserver = Sender}} = IQ, State) ->
    case twitter_trust:take(Service, Sender, max(1, length(maps:get(changes, Told, [])))) of
        false ->
            answer(IQ, {error, xmpp:err_resource_constraint()}, refused(State));
        true ->
            case {twitter_trust:author(Author), twitter_trust:may_speak_for(Host, Sender, Author)} of
                {{ok, Author}, true} -> trusted(What, Told, Service, IQ, State);
                {{ok, Author}, unknown} -> answer(IQ, {error, xmpp:err_resource_constraint()}, refused(State));
                _ -> answer(IQ, {error, xmpp:err_forbidden()}, refused(State))
            end
    end.

trusted(relay, #{changes := Changes} = Relay, Service, #iq{from = #jid{lserver = Sender}} = IQ, State) ->
    #{server_host := ServerHost} = Service,
    case twitter_trust:check(ServerHost, Changes) of
        [] when Changes =/= [] ->
            answer(IQ, {error, xmpp:err_not_acceptable()}, refused(State));
        Fit ->
            _ = [refused(State) || length(Fit) < length(Changes)],
            case twitter_heard:relay(Service, Sender, Relay#{changes := Fit}) of
                recorded ->
                    ok = counted(ServerHost, length(Fit)),
                    answer(IQ, {result, []}, State);
                {missed, Since} ->
                    ok = counted(ServerHost, length(Fit)),
                    answer(IQ, {result, [twitter_relay:missed(Since)]}, State);
                unknown_audience ->
                    Error = xmpp:err_item_not_found(),
                    answer(IQ, {error, Error#stanza_error{sub_els = [twitter_relay:unknown_audience()]}}, State)
            end
    end;
trusted(audience, #{author := Author} = Audience, #{server_host := ServerHost} = Service, IQ, State) ->
    case collected(Audience, ServerHost, State) of
        {more, Next} ->
            answer(IQ, {result, []}, Next);
        {all, Digest, Readers, Next} ->
            case twitter_heard:audience(Service, Author, Digest, Readers) of
                ok -> answer(IQ, {result, []}, Next);
                not_taken -> answer(IQ, {error, xmpp:err_not_acceptable()}, refused(Next))
            end;
        {malformed, Next} ->
            answer(IQ, {error, xmpp:err_bad_request()}, refused(Next))
    end.

%% The parts come in their order; the first one begins the list anew.
collected(#{author := Author, digest := Digest, part := Part, 'of' := Of, readers := Readers}, ServerHost,
          #state{audiences = Audiences} = State) ->
    Before = case Audiences of
                 _ when Part =:= 1 -> [];
                 #{Author := {Digest, Of, Part, Parts}} -> Parts;
                 #{} -> none
             end,
    Others = maps:remove(Author, Audiences),
    case Before =/= none andalso Part =< Of andalso Of =< ?MAX_PARTS andalso length(Readers) =< ?MAX_PART
        andalso lists:all(fun(Reader) -> is_user_of(ServerHost, Reader) end, Readers) of
        false ->
            {malformed, State#state{audiences = Others}};
        true when Part < Of, map_size(Others) >= ?MAX_UNFINISHED ->
            {malformed, State#state{audiences = Others}};
        true when Part < Of ->
            {more, State#state{audiences = Others#{Author => {Digest, Of, Part + 1, [Readers | Before]}}}};
        true ->
            All = lists:append([Readers | Before]),
            case twitter_relay:digest(All) of
                Digest -> {all, Digest, lists:usort(All), State#state{audiences = Others}};
                _ -> {malformed, State#state{audiences = Others}}
            end
    end.

is_user_of(ServerHost, Reader) ->
    (twitter_roster:bare(Reader))#jid.lserver =:= ServerHost.
