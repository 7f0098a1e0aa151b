%%% @doc What other servers tell of their authors' posts, as it arrives: messages for one reader, and requests
%%% for the whole server ({@link twitter_relay}). Nothing is believed here. It waits, in a bounded queue for each
%%% sender, for a process of that sender, {@link twitter_incoming}.
%%%
%%% A message about a node of ours goes no further, whoever sent it: clients show such without asking whether it
%%% is true. What may be shown is sent again by the fan-out.
-module(twitter_inbox).
-behaviour(gen_server).

-include_lib("ejabberd/include/logger.hrl").
-include_lib("xmpp/include/xmpp.hrl").

-export([new/1, start_link/1, done/3, refuse/3, sync/1]).
-export([sm_receive_packet/1, decode_iq_subel/1, process_relay/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, terminate/2]).
-export_type([event/0]).

%% What waits of one sender at most, and of all together; in bytes.
-define(MAX_EVENTS, 2_000).
-define(MAX_BYTES, 16_777_216).
-define(MAX_ALL_BYTES, 134_217_728).
%% Senders who have a process.
-define(MAX_SENDERS, 1_000).
%% Before modules that keep or show what arrives.
-define(PRIORITY, 10).

-type event() :: {message, message()} | {request, Host :: binary(), iq()}.
%% The processes of senders, and how much each was given.
-record(state, {server_host :: binary(),
                senders = #{} :: #{Sender :: binary() => {pid(), Given :: non_neg_integer()}}}).

%%% From ejabberd

%% @doc Hook `sm_receive_packet': no event of a node of ours passes that was not sent by us.
-spec sm_receive_packet(Stanza) -> Stanza | {stop, drop} when Stanza :: stanza() | drop.
sm_receive_packet(#message{from = #jid{lserver = Sender}, to = #jid{lserver = LServer}, sub_els = Els} = Message) ->
    case is_about_us(Els) andalso not twitter_delivery:is_ours(Message) andalso not is_here(Sender)
        andalso twitter_service:all(LServer) =/= [] of
        true ->
            _ = [accept(LServer, Sender, {message, Message}) || Message#message.type =/= error],
            {stop, drop};
        false ->
            Message
    end;
sm_receive_packet(Stanza) ->
    Stanza.

is_about_us(Els) ->
    lists:any(fun(#xmlel{name = <<"event">>, children = Children} = El) ->
                      fxml:get_tag_attr_s(<<"xmlns">>, El) =:= ?NS_PUBSUB_EVENT
                          andalso lists:any(fun is_of_ours/1, Children);
                 (#ps_event{} = Event) ->
                      is_about_us([xmpp:encode(Event)]);
                 (_) ->
                      false
              end, Els).

is_of_ours(#xmlel{} = El) -> twitter_path:is_reserved(fxml:get_tag_attr_s(<<"node">>, El));
is_of_ours(_) -> false.

%% Whether a domain is one of this server, with the plugin or without.
is_here(Domain) ->
    Hosts = ejabberd_option:hosts(),
    lists:member(Domain, Hosts)
        orelse lists:any(fun(Host) ->
                                 gen_mod:is_loaded(Host, mod_pubsub)
                                     andalso lists:member(Domain, gen_mod:get_module_opt_hosts(Host, mod_pubsub))
                         end, Hosts).

%% @doc Called by ejabberd on the element of a request; it is read later.
-spec decode_iq_subel(xmlel()) -> xmlel().
decode_iq_subel(El) ->
    El.

%% @doc A request of another service, which is answered when its turn has come.
-spec process_relay(iq()) -> iq() | ignore.
process_relay(#iq{type = set, from = #jid{lserver = Sender}, to = #jid{lserver = Host}} = IQ) ->
    case {is_here(Sender), twitter_service:find(Host)} of
        {true, _} ->
            refused(IQ, xmpp:err_forbidden());
        {false, {ok, #{server_host := ServerHost}}} ->
            case accept(ServerHost, Sender, {request, Host, IQ}) of
                ok -> ignore;
                full -> refused(IQ, xmpp:err_resource_constraint())
            end;
        {false, error} ->
            refused(IQ, xmpp:err_service_unavailable())
    end;
process_relay(IQ) ->
    refused(IQ, xmpp:err_bad_request()).

refused(IQ, Error) ->
    xmpp:make_error(IQ#iq{sub_els = []}, Error).

%%% The queues

%% @doc Nothing waits. The table lives as long as the calling process.
-spec new(ServerHost :: binary()) -> ok.
new(ServerHost) ->
    Name = name(ServerHost),
    Name = ets:new(Name, [named_table, public, {write_concurrency, true}]),
    ok.

name(ServerHost) ->
    gen_mod:get_module_proc(ServerHost, ?MODULE).

%% In the process that reads what the other server sends: it must not wait.
accept(ServerHost, Sender, Event) ->
    Name = name(ServerHost),
    Bytes = erlang:external_size(Event),
    try
        [Events, Sum] = ets:update_counter(Name, Sender, [{2, 1}, {3, Bytes}], {Sender, 0, 0}),
        All = ets:update_counter(Name, all, Bytes, {all, 0}),
        case Events =< ?MAX_EVENTS andalso Sum =< ?MAX_BYTES andalso All =< ?MAX_ALL_BYTES of
            true ->
                Name ! {accepted, Sender, Event, Bytes},
                ok;
            false ->
                ok = done(ServerHost, Sender, Bytes),
                ok = refuse(ServerHost, Sender, 1),
                full
        end
    catch
        %% The plugin stops, or the process was killed.
        error:badarg -> full
    end.

%% @doc So much of a sender does not wait any more.
-spec done(ServerHost :: binary(), Sender :: binary(), Bytes :: pos_integer()) -> ok.
done(ServerHost, Sender, Bytes) ->
    Name = name(ServerHost),
    _ = ets:update_counter(Name, Sender, [{2, -1, 0, 0}, {3, -Bytes, 0, 0}], {Sender, 0, 0}),
    _ = ets:update_counter(Name, all, {2, -Bytes, 0, 0}, {all, 0}),
    ok.

%% @doc So much was not taken.
-spec refuse(ServerHost :: binary(), Sender :: binary(), Count :: pos_integer()) -> ok.
refuse(ServerHost, Sender, Count) ->
    ?DEBUG("What ~ts told of its authors at ~ts was not taken", [Sender, ServerHost]),
    case twitter_flow:find(ServerHost) of
        {ok, Flow} -> twitter_flow:count(Flow, refused, Count);
        error -> ok
    end.

%% @doc Returns when all that has arrived so far has been dealt with: for tests.
-spec sync(ServerHost :: binary()) -> ok.
sync(ServerHost) ->
    Senders = gen_server:call(name(ServerHost), senders, infinity),
    lists:foreach(fun(Pid) ->
                          try
                              ok = gen_server:call(Pid, sync, infinity)
                          catch
                              %% It has ended.
                              exit:{_, {gen_server, call, _}} -> ok
                          end
                  end, Senders).

%%% The process, which knows the processes of the senders

-spec start_link(ServerHost :: binary()) -> {ok, pid()} | {error, term()}.
start_link(ServerHost) ->
    gen_server:start_link({local, name(ServerHost)}, ?MODULE, ServerHost, []).

%% @private
-spec init(ServerHost :: binary()) -> {ok, #state{}}.
init(ServerHost) ->
    process_flag(trap_exit, true),
    %% What waited for one that was killed is lost.
    true = ets:delete_all_objects(name(ServerHost)),
    ok = ejabberd_hooks:add(sm_receive_packet, ServerHost, ?MODULE, sm_receive_packet, ?PRIORITY),
    {ok, #state{server_host = ServerHost}}.

%% @private
-spec handle_call(term(), gen_server:from(), #state{}) -> {reply, term(), #state{}}.
handle_call(senders, _From, #state{senders = Senders} = State) ->
    {reply, [Pid || {Pid, _Given} <- maps:values(Senders)], State};
handle_call(_Request, _From, State) ->
    {reply, {error, unknown_request}, State}.

%% @private
-spec handle_cast(term(), #state{}) -> {noreply, #state{}}.
handle_cast(_Message, State) ->
    {noreply, State}.

%% @private
-spec handle_info(term(), #state{}) -> {noreply, #state{}}.
handle_info({accepted, Sender, Event, Bytes}, #state{server_host = ServerHost, senders = Senders} = State) ->
    case Senders of
        #{Sender := {Pid, Given}} ->
            Pid ! {event, Event, Bytes},
            {noreply, State#state{senders = Senders#{Sender := {Pid, Given + 1}}}};
        #{} when map_size(Senders) >= ?MAX_SENDERS ->
            ok = done(ServerHost, Sender, Bytes),
            ok = refuse(ServerHost, Sender, 1),
            _ = [ejabberd_router:route(refused(IQ, xmpp:err_resource_constraint())) || {request, _, IQ} <- [Event]],
            {noreply, State};
        #{} ->
            {ok, Pid} = twitter_incoming:start_link(ServerHost, Sender),
            Pid ! {event, Event, Bytes},
            {noreply, State#state{senders = Senders#{Sender => {Pid, 1}}}}
    end;
handle_info({idle, Sender, Pid, Done}, #state{server_host = ServerHost, senders = Senders} = State) ->
    case Senders of
        #{Sender := {Pid, Done}} ->
            Pid ! stop,
            %% If it is zero.
            true = ets:delete_object(name(ServerHost), {Sender, 0, 0}),
            {noreply, State#state{senders = maps:remove(Sender, Senders)}};
        #{} ->
            %% There is something on the way to it.
            {noreply, State}
    end;
handle_info({'EXIT', Pid, _Reason}, #state{server_host = ServerHost, senders = Senders} = State) ->
    case [Sender || {Sender, {Known, _}} <- maps:to_list(Senders), Known =:= Pid] of
        [Sender] ->
            %% It was killed, and what waited for it is lost.
            _ = [ets:update_counter(name(ServerHost), all, {2, -Bytes, 0, 0}, {all, 0})
                 || {_, _, Bytes} <- ets:take(name(ServerHost), Sender)],
            {noreply, State#state{senders = maps:remove(Sender, Senders)}};
        [] ->
            {noreply, State}
    end;
handle_info(_Message, State) ->
    {noreply, State}.

%% @private
-spec terminate(term(), #state{}) -> ok.
terminate(_Reason, #state{server_host = ServerHost}) ->
    ejabberd_hooks:delete(sm_receive_packet, ServerHost, ?MODULE, sm_receive_packet, ?PRIORITY).
